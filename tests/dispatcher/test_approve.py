"""Two persons let a warning go: no one alone, whatever he tries and whoever else tries at the same instant."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from dispatcher.accounts.authority import AccountRole, Means, Principal
from dispatcher.model import Code
from dispatcher.pipeline.accept import Incoming, accept
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.discard import discard
from dispatcher.pipeline.draft import draft, take_up
from dispatcher.pipeline.edit import edit
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.pipeline.send_back import send_back
from dispatcher.pipeline.submit import submit
from dispatcher.pipeline.withdraw import expire_due
from dispatcher.signing import Act
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import accounts, audit, chunks, events, ledger
from dispatcher.store.accounts import Token
from dispatcher.store.packing import plan_hash
from tests.city import NOW, Clock, Provider, cap, named
from tests.dispatcher.desk import account as account_of
from tests.dispatcher.desk import add, come, leader, officer, row_of, signed, stamp, submitted, written
from tests.dispatcher.test_accept import sent_in
from tests.dispatcher.test_sending_dispatch import all_in, dispatching, until


async def released(jian: Context, warning_id: str) -> bool:
    return (await row_of(jian, warning_id)).released_at is not None


async def test_what_one_writes_and_another_signs_leaves_as_it_was_frozen(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    kept = await draft(jian, one, written())
    assert (await row_of(jian, kept.warning_id)).rows_planned == 0
    put = await submit(jian, one, kept.warning_id)
    before = await row_of(jian, put.warning_id)
    done = await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    row = await row_of(jian, put.warning_id)
    assert (before.state, row.state, done.plan_hash) == ("submitted", "approved", put.plan_hash)
    assert (before.released_at, row.released_at) == (None, NOW)
    async with jian.store.read() as tx:
        counted = await ledger.counts(tx, row.id)
        assert plan_hash(row.header_hash, await chunks.hashes(tx, row.id)) == put.plan_hash == row.plan_hash
        said = [event.kind for event in await events.of_warning(tx, row.id)]
        logged = [(one.actor, one.action) for one in reversed(await audit.newest(tx, 10))]
    assert {one.state for one in counted} == {DeliveryState.PLANNED}
    assert sum(one.rows for one in counted) == put.rows > 8
    assert said == ["warning.drafted", "warning.submitted", "warning.approved"]
    assert logged == [(one.actor, said[0]), (one.actor, said[1]), (other.actor, said[2])]
    assert [(each.act, each.account_id) for each in await signed(jian, row.id)] == [
        (Act.DRAFTED, one.id),
        (Act.SUBMITTED, one.id),
        (Act.APPROVED, other.id),
    ]


async def test_whoever_wrote_changed_or_put_it_forward_is_not_the_second_person(jian: Context) -> None:
    """Each by an account that was an officer then and signs now: a role that was changed makes no second person."""
    hands = [await officer(jian, number) for number in (1, 2, 3)]
    kept = await draft(jian, hands[0], written())
    await edit(jian, hands[1], kept.warning_id, written(description="预计未来3小时碧洲镇有大到暴雨。"))
    put = await submit(jian, hands[2], kept.warning_id)
    async with jian.store.begin() as tx:
        for one in hands:
            await accounts.change(tx, one.id, role=AccountRole.APPROVER.value)
    for one in hands:
        now = replace(one, role=AccountRole.APPROVER)
        with pytest.raises(NotDone) as stopped:
            await approve(jian, now, put.warning_id, plan_hash=put.plan_hash)
        assert stopped.value.hindrance is Hindrance.SAME_PERSON
    assert not await released(jian, put.warning_id)


async def test_one_person_in_two_sessions_is_one_person(jian: Context) -> None:
    """The second session is an approver's: the account was given that role in between."""
    one = await officer(jian)
    put = await submitted(jian, one)
    async with jian.store.begin() as tx:
        await accounts.change(tx, one.id, role=AccountRole.APPROVER.value)
    for session in (one, replace(one, role=AccountRole.APPROVER)):
        with pytest.raises(NotDone):
            await approve(jian, session, put.warning_id, plan_hash=put.plan_hash)
    assert (await row_of(jian, put.warning_id)).state == WarningState.SUBMITTED


@pytest.mark.parametrize("means", [Means.TOKEN, Means.SOURCE, Means.VISITOR])
async def test_only_a_person_signs(jian: Context, means: Means) -> None:
    put = await submitted(jian, await officer(jian))
    token = Principal(means=means, id="t" * 32, name="系统", role=AccountRole.APPROVER, scope=("360800",))
    with pytest.raises(NotDone) as stopped:
        await approve(jian, token, put.warning_id, plan_hash=put.plan_hash)
    assert stopped.value.hindrance is Hindrance.PERSON
    assert not await released(jian, put.warning_id)


async def test_whoever_made_the_token_that_wrote_it_does_not_sign_it(jian: Context) -> None:
    maker = await leader(jian)
    token = Token(
        id="b" * 32,
        digest="d",
        name="县局系统",
        role=AccountRole.DUTY_OFFICER,
        scope=("360800",),
        created_at=NOW,
        created_by=maker.id,
        ends_at=NOW + timedelta(days=1),
        revoked_at=None,
    )
    async with jian.store.begin() as tx:
        await accounts.add_token(tx, token)
    system = Principal(
        means=Means.TOKEN, id=token.id, name=token.name, role=AccountRole.DUTY_OFFICER, scope=token.scope
    )
    put = await submitted(jian, system)
    with pytest.raises(NotDone) as stopped:
        await approve(jian, maker, put.warning_id, plan_hash=put.plan_hash)
    assert stopped.value.hindrance is Hindrance.SAME_PERSON


@pytest.mark.parametrize("values", [{"role": "auditor"}, {"disabled_at": NOW}], ids=["role", "disabled"])
async def test_who_was_disabled_or_given_another_role_since_he_signed_in_does_not_sign(
    jian: Context, values: dict[str, object]
) -> None:
    other = await leader(jian)
    put = await submitted(jian, await officer(jian))
    async with jian.store.begin() as tx:
        await accounts.change(tx, other.id, **values)
    with pytest.raises(NotDone) as stopped:
        await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    assert stopped.value.hindrance is Hindrance.ACCOUNT


async def test_a_leader_of_another_county_and_one_without_the_second_factor_do_not_sign(jian: Context) -> None:
    away = await leader(jian, 11, scope=("360881",))
    here = account_of(12, AccountRole.APPROVER)
    await add(jian, here)
    put = await submitted(jian, await officer(jian))
    for principal, why in ((away, Hindrance.AREA), (come(here, stepped_up=False), Hindrance.STEP_UP)):
        with pytest.raises(NotDone) as stopped:
            await approve(jian, principal, put.warning_id, plan_hash=put.plan_hash)
        assert stopped.value.hindrance is why
    assert not await released(jian, put.warning_id)


@pytest.mark.parametrize("level", ["red", "orange"])
async def test_orange_and_red_need_a_named_leader_and_his_reason(jian: Context, level: str) -> None:
    policy = jian.settings.policy
    approval = policy.approval.model_copy(update={"leaders": ("login12",)})
    jian.settings = replace(jian.settings, policy=policy.model_copy(update={"approval": approval}))
    any_, named_ = await leader(jian, 11), await leader(jian, 12)
    headline = f"遂川县应急管理局发布暴雨{'红' if level == 'red' else '橙'}色预警"
    put = await submitted(jian, await officer(jian), level=level, headline=headline)
    for who, reason, why in ((any_, "雨势紧急", Hindrance.ROLE), (named_, "  ", Hindrance.REASON)):
        with pytest.raises(NotDone) as stopped:
            await approve(jian, who, put.warning_id, plan_hash=put.plan_hash, reason=reason)
        assert stopped.value.hindrance is why
        assert "policy" not in stopped.value.sentence, "an office reads it, and has no such file"
    await approve(jian, named_, put.warning_id, plan_hash=put.plan_hash, reason="雨势紧急")
    assert (await signed(jian, put.warning_id))[-1].detail["reason"] == "雨势紧急"


async def test_fifty_who_sign_at_once_are_one_transition(jian: Context) -> None:
    one = await officer(jian)
    leaders = [await leader(jian, number) for number in range(100, 150)]
    put = await submitted(jian, one)
    signing = [approve(jian, each, put.warning_id, plan_hash=put.plan_hash) for each in leaders]
    done = await asyncio.gather(*signing, return_exceptions=True)
    stopped = [each for each in done if isinstance(each, NotDone)]
    assert len(stopped) == 49
    assert {each.hindrance for each in stopped} == {Hindrance.STATE}
    assert [each.act for each in await signed(jian, put.warning_id)].count(Act.APPROVED) == 1
    async with jian.store.read() as tx:
        said = [event.kind for event in await events.of_warning(tx, put.warning_id)]
    assert said.count("warning.approved") == 1


async def test_whoever_signs_while_it_is_edited_signs_what_he_saw_or_nothing(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    for turn in range(6):
        put = await submitted(jian, one, identifier=f"E{turn}")
        other_words = written(identifier=f"E{turn}", description="另一段文字。")
        both = await asyncio.gather(
            approve(jian, other, put.warning_id, plan_hash=put.plan_hash),
            edit(jian, one, put.warning_id, other_words),
            return_exceptions=True,
        )
        row = await row_of(jian, put.warning_id)
        assert [isinstance(each, NotDone) for each in both].count(True) == 1
        if row.state == WarningState.APPROVED:
            assert row.plan_hash == put.plan_hash
            assert "另一段" not in row.message["description"]
        else:
            assert (row.state, row.plan_hash, row.released_at) == (WarningState.DRAFT, "", None)


async def test_an_edit_voids_what_was_put_forward(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    put = await submitted(jian, one)
    await edit(jian, one, put.warning_id, written(description="另一段文字。"))
    for seen in (put.plan_hash, ""):
        with pytest.raises(NotDone) as stopped:
            await approve(jian, other, put.warning_id, plan_hash=seen)
        assert stopped.value.hindrance is Hindrance.STATE
    again = await submit(jian, one, put.warning_id)
    assert again.plan_hash != put.plan_hash
    with pytest.raises(NotDone) as stopped:
        await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    assert stopped.value.hindrance is Hindrance.CHANGED
    await approve(jian, other, put.warning_id, plan_hash=again.plan_hash)
    assert await released(jian, put.warning_id)


async def test_an_edit_keeps_the_identity_and_never_makes_a_drill_real(jian: Context) -> None:
    one = await officer(jian)
    drill = await draft(jian, one, written(status="Exercise", headline="【演练】暴雨黄色预警【演练】"))
    for changes, code in (({}, Code.DRILL_MIXED), ({"identifier": "X"}, Code.DUPLICATE_CONFLICT)):
        with pytest.raises(NotDone) as stopped:
            await edit(jian, one, drill.warning_id, written(**changes))
        assert stopped.value.code is code
    assert (await row_of(jian, drill.warning_id)).drill is True


async def test_what_was_signed_or_is_over_is_not_edited(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    put = await submitted(jian, one)
    await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    for verb in (edit(jian, one, put.warning_id, written()), submit(jian, one, put.warning_id)):
        with pytest.raises(NotDone) as stopped:
            await verb
        assert stopped.value.hindrance is Hindrance.STATE


async def test_sent_back_with_its_reason_it_is_mended_and_put_forward_again(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    put = await submitted(jian, one)
    with pytest.raises(NotDone) as stopped:
        await send_back(jian, other, put.warning_id, reason=" ")
    assert stopped.value.hindrance is Hindrance.REASON
    await send_back(jian, other, put.warning_id, reason="雨量写错")
    assert (await row_of(jian, put.warning_id)).state == WarningState.RETURNED
    with pytest.raises(NotDone):
        await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    await edit(jian, one, put.warning_id, written(description="预计未来3小时碧洲镇降雨量将达60毫米。"))
    again = await submit(jian, one, put.warning_id)
    await approve(jian, other, put.warning_id, plan_hash=again.plan_hash)
    assert await released(jian, put.warning_id)


async def test_who_writes_outside_his_area_is_refused_with_214(jian: Context) -> None:
    township = await officer(jian, scope=("360827103",))
    county = await officer(jian, 2, scope=("360827",))
    for who, area in ((township, "360827102000"), (county, "360881000000")):
        with pytest.raises(NotDone) as stopped:
            await draft(jian, who, written(areas=[{"description": "某地", "geocodes": [area]}]))
        assert stopped.value.code is Code.OUTSIDE_AUTHORITY
    kept = await draft(jian, county, written())
    with pytest.raises(NotDone) as stopped:
        await submit(jian, township, kept.warning_id)
    assert stopped.value.code is Code.OUTSIDE_AUTHORITY


@pytest.mark.parametrize("role", [one for one in AccountRole if one not in ("duty_officer", "source")])
async def test_nobody_but_an_officer_writes(jian: Context, role: AccountRole) -> None:
    who = await add(jian, account_of(5, role))
    with pytest.raises(NotDone) as stopped:
        await draft(jian, who, written())
    assert stopped.value.hindrance is Hindrance.ROLE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"areas": [{"description": "某地", "geocodes": ["360827999000"]}]}, Code.AREA_UNRESOLVED),
        ({"event": "蝗灾大爆发"}, Code.LEVEL_UNKNOWN),
        ({"status": "Test"}, Code.FORMAT),
        ({"scope": "Private", "addresses": ["某人"]}, Code.APPROVAL_MISSING),
        ({"sent": stamp(NOW + timedelta(hours=1)), "expires": stamp(NOW + timedelta(hours=2))}, Code.CLOCK),
    ],
    ids=["no area", "no hazard", "a test", "private", "in the future"],
)
async def test_what_was_judged_unsendable_is_kept_and_not_put_forward(
    jian: Context, changes: dict[str, object], code: Code
) -> None:
    one = await officer(jian)
    kept = await draft(jian, one, written(**changes))
    with pytest.raises(NotDone) as stopped:
        await submit(jian, one, kept.warning_id)
    assert (stopped.value.hindrance, stopped.value.code) == (Hindrance.FINDINGS, code)
    assert (await row_of(jian, kept.warning_id)).state == WarningState.DRAFT


async def test_the_same_draft_twice_is_one_and_other_words_under_its_name_are_refused(jian: Context) -> None:
    one = await officer(jian)
    first, second = await draft(jian, one, written()), await draft(jian, one, written())
    assert (first.warning_id, second.repeated) == (second.warning_id, True)
    with pytest.raises(NotDone) as stopped:
        await draft(jian, one, written(description="别的。"))
    assert stopped.value.code is Code.DUPLICATE_CONFLICT


async def test_what_has_run_out_since_is_not_signed(jian: Context, clock: Clock) -> None:
    one, other = await officer(jian), await leader(jian)
    put = await submitted(jian, one)
    clock.pass_(hours=7)
    with pytest.raises(NotDone) as stopped:
        await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    assert stopped.value.code is Code.EXPIRED
    assert not await released(jian, put.warning_id)


async def test_what_an_untrusted_source_sent_is_taken_up_put_forward_and_signed(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    held = await sent_in(jian, cap(), source="county-weather")
    taken = await take_up(jian, one, held.warning_id)
    with pytest.raises(NotDone) as stopped:
        await take_up(jian, one, held.warning_id)
    assert stopped.value.hindrance is Hindrance.STATE
    put = await submit(jian, one, taken.warning_id)
    await approve(jian, other, put.warning_id, plan_hash=put.plan_hash, reason="雨势紧急")
    row = await row_of(jian, held.warning_id)
    assert (row.state, row.trusted, row.raw) == (WarningState.APPROVED, False, cap())
    again = await sent_in(jian, cap(), source="county-weather")
    assert (again.warning_id, again.repeated) == (held.warning_id, True)


@pytest.mark.parametrize("state", ["draft", "submitted"])
async def test_a_trusted_copy_does_not_wait_behind_what_somebody_took_up(jian: Context, state: str) -> None:
    one = await officer(jian)
    held = await sent_in(jian, cap(), source="county-weather")
    await take_up(jian, one, held.warning_id)
    if state == "submitted":
        await submit(jian, one, held.warning_id)
    genuine = await sent_in(jian, cap())
    assert genuine.state is WarningState.APPROVED
    assert (await row_of(jian, held.warning_id)).state == WarningState.REJECTED


async def test_an_update_ends_what_it_names_when_it_is_signed_and_not_before(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    first = await sent_in(jian, cap())
    reference = {"sender": "36080041600000", "identifier": "36080041600000_20260403023900", "sent": stamp(NOW)}
    later = stamp(NOW + timedelta(minutes=1))
    put = await submitted(jian, one, kind="Update", references=[reference], identifier="U1", sent=later)
    assert (await row_of(jian, first.warning_id)).state == WarningState.APPROVED
    await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    before, after = await row_of(jian, first.warning_id), await row_of(jian, put.warning_id)
    assert (before.state, before.ended_by, after.chain_id) == (WarningState.SUPERSEDED, after.id, before.chain_id)


async def test_what_was_overtaken_while_it_waited_is_not_signed(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    await sent_in(jian, cap())
    reference = {"sender": "36080041600000", "identifier": "36080041600000_20260403023900", "sent": stamp(NOW)}
    put = await submitted(
        jian, one, kind="Update", references=[reference], identifier="U1", sent=stamp(NOW + timedelta(minutes=1))
    )
    about = named("36080041600000_20260403023900")
    cancel = await sent_in(jian, cap("C1", NOW + timedelta(minutes=2), kind="Cancel", references=about))
    assert cancel.state is WarningState.APPROVED
    with pytest.raises(NotDone) as stopped:
        await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    assert stopped.value.hindrance is Hindrance.STATE
    assert not await released(jian, put.warning_id)


async def test_what_waits_for_a_person_is_seen_by_nobody_and_silences_nobody(jian: Context) -> None:
    one = await officer(jian)
    first = await sent_in(jian, cap())
    reference = {"sender": "36080041600000", "identifier": "36080041600000_20260403023900", "sent": stamp(NOW)}
    put = await submitted(
        jian, one, kind="Update", references=[reference], identifier="U1", sent=stamp(NOW + timedelta(minutes=2))
    )
    about = named("36080041600000_20260403023900")
    update = await sent_in(jian, cap("U2", NOW + timedelta(minutes=1), kind="Update", references=about))
    assert update.state is WarningState.APPROVED
    assert (await row_of(jian, first.warning_id)).state == WarningState.SUPERSEDED
    assert (await row_of(jian, put.warning_id)).state == WarningState.SUBMITTED


async def test_nobody_comes_in_by_the_consoles_name(jian: Context) -> None:
    answer = await accept(jian, Incoming(door="http", source="console", content_type="", body=written()))
    assert answer.code is Code.SIGNATURE


async def test_what_runs_out_while_it_waits_is_laid_out_as_run_out_and_alarms_nobody(
    jian: Context, clock: Clock
) -> None:
    put = await submitted(jian, await officer(jian))
    clock.pass_(hours=7)
    assert await expire_due(jian) == [put.warning_id]
    sms, loud, party = Provider(), Provider(), Provider()
    async with dispatching(jian.store, clock, sms=sms, broadcast=loud, party=party):
        await until(all_in(jian.store, put.warning_id, {DeliveryState.EXPIRED: put.rows}))
    assert (sms.got, loud.got, party.got) == ([], [], [])
    async with jian.store.read() as tx:
        assert (await audit.newest(tx, 1))[0].action == "warning.expired"


async def test_what_waits_and_is_not_wanted_is_put_away_with_the_reason_and_frees_its_name(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    held, put = await sent_in(jian, cap(), source="county-weather"), await submitted(jian, one)
    for warning_id in (held.warning_id, put.warning_id):
        for who, reason, why in ((one, " ", Hindrance.REASON), (other, "误报", Hindrance.ROLE)):
            with pytest.raises(NotDone) as stopped:
                await discard(jian, who, warning_id, reason=reason)
            assert stopped.value.hindrance is why
        await discard(jian, one, warning_id, reason="误报")
        assert (await row_of(jian, warning_id)).state == WarningState.REJECTED
    with pytest.raises(NotDone) as stopped:
        await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    assert stopped.value.hindrance is Hindrance.STATE
    again = await submitted(jian, one)
    await approve(jian, other, again.warning_id, plan_hash=again.plan_hash)
    with pytest.raises(NotDone) as stopped:
        await discard(jian, one, again.warning_id, reason="误报")
    assert stopped.value.hindrance is Hindrance.STATE
