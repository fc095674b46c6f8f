"""P12: receipts taken, committed and answered, beside a bare handler that answers 204 and keeps nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.bulletin import Bulletin
from dispatcher.rehearsal.bench.engine import TWILIO, Engine, Wish
from dispatcher.rehearsal.bench.goals import Measured, at_least
from dispatcher.rehearsal.bench.orders import BenchFailed, Hand, hired
from dispatcher.rehearsal.bench.yard import ROUNDS, TOWN, Yard

OF_BARE: Final = 0.5
CONNECTIONS: Final = 256
A_VOLLEY: Final = 3_000
WARM: Final = 300
LATER: Final = {"MINGLUO_POLICY__LEVELS__RED__RECEIPT_DEADLINE_S": "3600"}


async def receipts(yard: Yard) -> Measured:
    """Each receipt is for a row of its own; after each volley the ledger must have every one of them."""
    at = (await yard.sink()).ready["url"]
    wish = Wish(sms="twilio", at=at, roles="intake,send,timers,web", more=LATER)
    async with (
        yard.engine(yard.best, TOWN, wish) as engine,
        hired("load", yard.log("load")) as load,
        hired("loops", yard.log("door")) as bare,
    ):
        run = await engine.run(Bulletin(), complete=False)
        keys = [row[0] for row in (await engine.hand.ask("ledger", warning_id=run.warning_id))["rows"]]
        ours = _Door(load, engine, run.warning_id, keys)
        door = (await bare.ask("door"))["url"]
        theirs = partial(_volley, load, door, door, keys[:A_VOLLEY])
        await ours.volley(WARM)
        await theirs()
        sides: dict[str, Callable[[], Awaitable[float]]] = {"service": ours.volley, "bare": theirs}
        rates = await yard.in_turn(ROUNDS, sides)
    detail: dict[str, Any] = {
        "engine": yard.best,
        "load": f"自带的 asyncio 压测进程（不是 wrk），两边相同：{CONNECTIONS} 个连接，逐条等应答",
        "receipts_a_round": A_VOLLEY,
        **{side: paired.spread(some) for side, some in rates.items()},
        "committed": "每轮之后核对台账：答过 2xx 的行都已是 delivered",
    }
    value = paired.ratio(rates["service"], rates["bare"])
    return Measured(goal="P12", checks=(at_least("回执 ÷ 裸 aiohttp 204", value, OF_BARE),), detail=detail)


class _Door:
    """Our door, with the rows that nobody has reported on yet."""

    def __init__(self, load: Hand, engine: Engine, warning_id: str, keys: list[str]) -> None:
        self._load = load
        self._engine = engine
        self._warning_id = warning_id
        self._keys = keys
        self._done = 0

    async def volley(self, count: int = A_VOLLEY) -> float:
        some = self._keys[self._done : self._done + count]
        if len(some) < count:
            raise BenchFailed("没有足够的行可以回执")
        self._done += count
        url = self._engine.hand.ready["url"]
        rate = await _volley(self._load, url, url, some)
        rows = (await self._engine.hand.ask("ledger", warning_id=self._warning_id))["rows"]
        delivered = sum(state == "delivered" for _, state, _ in rows)
        if delivered != self._done:
            raise BenchFailed(f"答过 2xx 的回执有 {self._done} 条，台账里只有 {delivered} 条送达")
        return rate


async def _volley(load: Hand, url: str, public: str, keys: list[str]) -> float:
    """Receipts a second; every one must be answered 2xx."""
    made = await load.ask(
        "fire",
        url=url,
        public=public,
        keys=keys,
        connections=CONNECTIONS,
        account=TWILIO["MINGLUO_TWILIO_ACCOUNT_SID"],
        token=TWILIO["MINGLUO_TWILIO_AUTH_TOKEN"],
    )
    if made["bad"]:
        raise BenchFailed(f"{made['bad']} 条回执没有得到 2xx：{made['first_bad']}")
    return float(made["good"] / made["took_s"])
