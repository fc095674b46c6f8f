"""Who may let a warning go: a trusted source, or a second person; who that may be, and when he is asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.approval import alternate, due, is_signer, lapsed, needs_person, sendable, signers
from dispatcher.model import Code, Level, Status, Verdict
from dispatcher.signing import Act
from dispatcher.store.accounts import Account
from dispatcher.store.signatures import Signature
from tests.city import NOW, red, settings
from tests.dispatcher.desk import account

SOURCES = settings().sources


def test_a_trusted_source_is_released_without_a_person() -> None:
    assert needs_person(red(), SOURCES["city-weather"]) is None


def test_any_other_waits_held_for_an_approval_and_the_source_is_named() -> None:
    finding = needs_person(red(), SOURCES["county-weather"])
    assert finding is not None
    assert (finding.code, finding.verdict) == (Code.APPROVAL_MISSING, Verdict.HOLD)
    assert SOURCES["county-weather"].name in finding.reason


def test_a_source_is_not_trusted_unless_somebody_wrote_so() -> None:
    assert type(SOURCES["drill"]).model_fields["trusted"].default is False


@pytest.mark.parametrize("status", list(Status))
def test_only_the_real_thing_and_a_drill_are_ever_sent(status: Status) -> None:
    assert sendable(red(status=status)) == (status in (Status.ACTUAL, Status.EXERCISE))


RULES = settings().policy.approval
HERE = ("360827102200",)


def leaders(**changes: object) -> list[Account]:
    return [account(number, AccountRole.APPROVER, **changes) for number in (13, 11, 12)]


def logins(some: list[Account]) -> list[str]:
    return [one.login for one in some]


def test_signers_are_asked_on_duty_first_then_as_the_policy_names_them() -> None:
    named = RULES.model_copy(update={"leaders": ("login12", "login11", "login13")})
    every = [*leaders(), account(14, AccountRole.APPROVER, on_duty=False), account(15, AccountRole.DUTY_OFFICER)]
    assert logins(signers(RULES, "yellow", (HERE, ()), every)) == ["login11", "login12", "login13", "login14"]
    assert logins(signers(named, "red", (HERE, ()), every)) == ["login12", "login11", "login13"]
    off = [account(12, AccountRole.APPROVER, on_duty=False), account(11, AccountRole.APPROVER)]
    assert logins(signers(named, "red", (HERE, ()), off)) == ["login11", "login12"]


def test_nobody_is_asked_who_may_not_sign() -> None:
    wrote = Signature(warning_id="w", at=NOW, account_id=f"{11:032x}", act=Act.EDITED, detail={})
    every = [*leaders(), account(16, AccountRole.APPROVER, disabled_at=NOW)]
    assert logins(signers(RULES, "red", (HERE, (wrote,)), every)) == ["login12", "login13"]
    assert signers(RULES, "red", (HERE, ()), leaders(scope=("360881",))) == []


def test_the_alternate_is_whom_the_policy_names_else_the_second() -> None:
    every = signers(RULES, "red", (HERE, ()), leaders())
    named = RULES.model_copy(update={"alternate": "login13"})
    found = alternate(RULES, every), alternate(named, every), alternate(RULES, every[:1])
    assert [one.login if one else "" for one in found] == ["login12", "login13", ""]


@pytest.mark.parametrize("level", list(Level))
def test_at_120_s_for_red_and_300_s_for_the_others_every_signer_is_due(level: Level) -> None:
    every = signers(RULES, level, (HERE, ()), leaders())
    able, last = (every, alternate(RULES, every)), 120 if level is Level.RED else 300
    asked = [len(due(RULES.of(level), NOW, able, NOW + timedelta(seconds=second))) for second in (last - 1, last)]
    assert asked == [2 if level is Level.RED else 0, 3]
    assert due(RULES.of(level), NOW, ([], None), NOW + timedelta(hours=1)) == []


def test_only_a_red_lapses_and_only_where_the_city_says_so() -> None:
    late = NOW + timedelta(seconds=180)
    assert [level for level in Level if lapsed(RULES, level, NOW, late)] == [Level.RED]
    assert not lapsed(RULES, "red", NOW, late - timedelta(seconds=1))
    assert not lapsed(RULES.model_copy(update={"release_by_two_on_duty": False}), "red", NOW, late)


def test_a_level_nobody_knows_or_wrote_down_is_the_strictest() -> None:
    bare = RULES.model_copy(update={"levels": {}, "leaders": ("login11",)})
    assert RULES.of(None) == RULES.of("red")
    assert bare.of("blue").leader
    assert bare.of("blue").reason
    assert [is_signer(bare, "blue", login) for login in ("login11", "login12")] == [True, False]
