"""One place decides who may do what where; what no rule allows is denied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.accounts.authority import (
    BY_A_PERSON,
    HELD_BY_ACCOUNTS,
    RULES,
    SEEN_ASLEEP,
    STEP_UP,
    AccountRole,
    Action,
    Denial,
    Means,
    Principal,
    Reach,
    denial,
    may_once_awake,
)

TOWN, CHILD, SIBLING, PARENT, OTHER = "360827102", "360827102201", "360827103", "360827", "360826104"


def who(role: AccountRole, scope: str = TOWN, means: Means = Means.SESSION, **more: bool) -> Principal:
    return Principal(means=means, id="a", name="某人", role=role, scope=(scope,), **{"stepped_up": True, **more})


def test_every_action_has_a_rule_and_every_rule_a_word() -> None:
    assert set(RULES) == set(Action)
    assert all(one.chinese for one in (*Action, *AccountRole))


RULED = [(role, action) for action in Action for role in HELD_BY_ACCOUNTS if role in RULES[action]]
UNRULED = [(role, action) for action in Action for role in HELD_BY_ACCOUNTS if role not in RULES[action]]


@pytest.mark.parametrize(("role", "action"), UNRULED)
def test_whoever_has_no_rule_is_denied_everywhere(role: AccountRole, action: Action) -> None:
    for area in (None, (TOWN,), (CHILD,), (OTHER,)):
        assert denial(who(role), action, area) is Denial.ROLE


@pytest.mark.parametrize(("role", "action"), RULED)
def test_the_reach_of_a_rule_is_the_area_and_no_more(role: AccountRole, action: Action) -> None:
    allowed = {area for area in (TOWN, CHILD, SIBLING, PARENT, OTHER) if denial(who(role), action, (area,)) is None}
    assert (
        allowed
        == {
            Reach.WITHIN: {TOWN, CHILD},
            Reach.TOUCHING: {TOWN, CHILD, PARENT},
            Reach.ANYWHERE: {TOWN, CHILD, SIBLING, PARENT, OTHER},
        }[RULES[action][role]]
    )


def test_an_issuers_area_contains_all_of_the_warnings() -> None:
    officer = who(AccountRole.DUTY_OFFICER, "360827")
    assert denial(officer, Action.ISSUE, (TOWN, SIBLING)) is None
    assert denial(officer, Action.ISSUE, (TOWN, OTHER)) is Denial.AREA
    assert denial(officer, Action.ISSUE, ()) is Denial.AREA


def test_a_city_code_covers_its_counties_and_a_county_code_no_other() -> None:
    assert denial(who(AccountRole.APPROVER, "360800"), Action.APPROVE, (TOWN, OTHER)) is None
    assert denial(who(AccountRole.APPROVER, "360827000000"), Action.APPROVE, (TOWN,)) is None
    assert denial(who(AccountRole.APPROVER, "360827000000"), Action.APPROVE, (OTHER,)) is Denial.AREA


@pytest.mark.parametrize("means", [Means.TOKEN, Means.SOURCE, Means.VISITOR])
@pytest.mark.parametrize("action", sorted(BY_A_PERSON))
def test_what_a_person_does_no_token_does(means: Means, action: Action) -> None:
    for role in RULES[action]:
        assert denial(who(role, means=means), action, (TOWN,)) is Denial.PERSON


@pytest.mark.parametrize("action", sorted(STEP_UP))
def test_a_session_alone_is_not_enough_for_what_cannot_be_taken_back(action: Action) -> None:
    for role in HELD_BY_ACCOUNTS:
        if role in RULES[action]:
            assert denial(who(role, stepped_up=False), action, (TOWN,)) is Denial.STEP_UP


@pytest.mark.parametrize("action", Action)
def test_a_session_that_sleeps_looks_and_does_nothing(action: Action) -> None:
    for role in HELD_BY_ACCOUNTS:
        if role in RULES[action]:
            found = denial(who(role, asleep=True), action, (TOWN,))
            assert found is (None if action in SEEN_ASLEEP else Denial.ASLEEP)


@pytest.mark.parametrize(("role", "action"), RULED)
def test_waking_gives_back_what_sleep_took_and_nothing_else(role: AccountRole, action: Action) -> None:
    for area in (None, (TOWN,), (SIBLING,), (OTHER,)):
        asleep = who(role, asleep=True, stepped_up=False)
        assert may_once_awake(asleep, action, area) is (denial(who(role), action, area) is None)


@given(
    st.sampled_from(list(Action)),
    st.sampled_from(HELD_BY_ACCOUNTS),
    st.from_regex(r"36\d{4}(\d{3}(\d{3})?)?", fullmatch=True),
)
def test_more_area_never_forbids_and_less_never_allows(action: Action, role: AccountRole, area: str) -> None:
    whole, part = who(role, "360000"), who(role, TOWN)
    if denial(part, action, (area,)) is None:
        assert denial(whole, action, (area,)) is None
