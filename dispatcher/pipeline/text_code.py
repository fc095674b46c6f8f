"""Whoever asked for a code to come in by gets it by SMS, at once.

Rows are the truth: whoever serves the console puts one, whoever sends pages looks twice a second. It must survive a provider
that hangs (codes go side by side, so that one keeps nobody else waiting) or has ten thousand others to send (a code goes
first), a process that dies with one in its hands (it is sent once more), and one that comes too late: after its five minutes
nothing is sent, and the words are gone. A provider may repeat what it was told, so nothing of what it says is kept. A code is
never a drill's.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from channels.contract import Accepted, Blame, Bulletin, Message, NotKnown, Outcome, Refused
from channels.text import signed
from dispatcher.accounts import texting
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.page import Pager
from dispatcher.store import accounts, code_texts
from dispatcher.store.code_texts import CodeText
from dispatcher.store.engine import database_is_away

LOOK_S: Final = 0.5
LIMIT_S: Final = 8.0
CLAIM: Final = timedelta(seconds=15)
"""Longer than the limit: nobody takes what is still under way."""
AGAIN_S: Final = (2, 5, 15, 45)
"""Before each further try; then it is given up."""
AT_ONCE: Final = 20
WORDS: Final = "验证码 {code}，5 分钟内有效，只在您自己的登录页面输入，不要告诉任何人。"

log = structlog.get_logger()


async def keep_texting(context: Context, texter: Pager | None) -> None:
    """In a task of its own, until it is cancelled. Without a provider of SMS it only lets go what has run out."""
    async with asyncio.TaskGroup() as tasks:
        while True:
            for one in await _looked(context, texter):
                tasks.create_task(_tried(context, texter, one), name="a code by SMS")
            await asyncio.sleep(LOOK_S)


async def text_codes(context: Context, texter: Pager | None) -> int:
    """Sends what is due; returns how many left."""
    async with asyncio.TaskGroup() as tasks:
        sending = [tasks.create_task(text_code(context, texter, one)) for one in await claimed(context, texter)]
    return sum(one.result() for one in sending)


async def claimed(context: Context, texter: Pager | None) -> list[CodeText]:
    """Those that are this process's to send now. What has run out goes."""
    now, mine = context.now(), []
    async with context.store.read() as tx:
        waiting = await code_texts.due(tx, now, AT_ONCE)
    for one in waiting:
        async with context.store.begin() as tx:
            if one.ends_at <= now:
                await code_texts.done(tx, one.id, None)
            elif texter is not None and await code_texts.claim(tx, one, min(now + CLAIM, one.ends_at)):
                mine.append(one)
    return mine


async def text_code(context: Context, texter: Pager | None, one: CodeText) -> bool:
    """Sends one that was claimed; whether it left."""
    async with context.store.read() as tx:
        account = await accounts.by_id(tx, one.account_id)
    number = texting.number_of(context.seal, account) if account and account.disabled_at is None else ""
    outcome = await _sent(context, texter, one, number)
    async with context.store.begin() as tx:
        now = context.now()
        if isinstance(outcome, Accepted):
            await code_texts.done(tx, one.id, now)
            return True
        again_at = now + timedelta(seconds=AGAIN_S[one.tries]) if one.tries < len(AGAIN_S) else one.ends_at
        if not isinstance(outcome, Refused) and again_at < one.ends_at:
            await code_texts.again(tx, one.id, again_at)
            return False
        await code_texts.done(tx, one.id, None)
    log.error("一条短信验证码没有发出去", account=one.account_id, tries=one.tries + 1, outcome=type(outcome).__name__)
    return False


async def _sent(context: Context, texter: Pager | None, one: CodeText, number: str) -> Outcome:
    if not number or texter is None or one.words is None:
        return Refused(code="no_way", reason="没有号码或短信接口", blame=Blame.ADDRESS)
    words = WORDS.format(code=context.seal.open(one.words))
    text = signed(words, context.settings.wording.signature)
    message = Message(id=f"code-{one.id}", to=number, text=text, bulletin=_bulletin(context, one))
    try:
        async with asyncio.timeout(LIMIT_S):
            await texter.next_turn()
            now = context.now()
            if now >= one.ends_at:
                return Refused(code="late", reason="验证码已过期", blame=Blame.MESSAGE)
            (outcome,) = await texter.send([message], now)
    except Exception as error:  # noqa: BLE001 - whatever a provider does, the code is tried again
        return NotKnown(code="error", reason=type(error).__name__)
    return outcome


async def _looked(context: Context, texter: Pager | None) -> list[CodeText]:
    try:
        return await claimed(context, texter)
    except Exception as error:  # noqa: BLE001 - said; the rows are looked at again in half a second
        _say(error)
        return []


async def _tried(context: Context, texter: Pager | None, one: CodeText) -> None:
    """What could not be put down is due again when its claim ends."""
    try:
        await text_code(context, texter, one)
    except Exception as error:  # noqa: BLE001 - said; nobody else's code may be lost by it
        _say(error)


def _say(error: Exception) -> None:
    if database_is_away(error):
        log.warning("数据库暂时不可用，稍后再试", task="短信验证码", error=type(error).__name__)
    else:
        log.error("发短信验证码时出错，稍后再试", error=type(error).__name__, exc_info=error)


def _bulletin(context: Context, one: CodeText) -> Bulletin:
    """Only what an SMS needs: that it is real, and until when it is worth sending."""
    return Bulletin(
        warning_id="code",
        chain_id="",
        identifier="",
        kind="Code",
        drill=False,
        test=False,
        level="",
        rank=0,
        event="",
        event_code="",
        headline="",
        sender=context.settings.service.sender_code,
        sender_name=context.settings.service.sender_name,
        sent=one.at,
        starts=one.at,
        expires=one.ends_at,
    )
