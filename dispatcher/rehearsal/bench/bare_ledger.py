"""The ledger's rows by bare asyncpg: the same table shape, rows, transactions and indexes, with nothing of ours between.

`plan` inserts by one unnest a chunk; `settle` moves rows by UPDATE … FROM unnest, as the store does, whose triggers it has not.
It is the one place outside the store where SQL is written, because the store is what it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

TABLES: Final = """
CREATE TABLE bare_deliveries (LIKE deliveries INCLUDING ALL) WITH (fillfactor = 50);
"""
PLAN: Final = """
INSERT INTO bare_deliveries (warning_id, channel, target, round, why, text_no, township, areas, state, state_code,
  chunk_id, pos, serial, calls, tries, provider, provider_ref, possible_duplicate)
SELECT $1, $2, given.target, 0, 1, 0, given.township, '', 0, '', $3, given.pos, 0, 0, 0, '', '', false
FROM unnest($4::text[], $5::text[], $6::int[]) AS given (target, township, pos)
"""
SETTLE: Final = """
UPDATE bare_deliveries AS d SET calls = 1, tries = 1, provider = $2, provider_ref = given.ref,
  possible_duplicate = false, sent_at = coalesce(d.sent_at, given.at), state = $3, state_code = '',
  ended_at = NULL, answered_at = given.ended, took_us = given.took
FROM unnest($4::int[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::int[])
  AS given (pos, target, ref, at, ended, took)
WHERE d.chunk_id = $1 AND d.pos = given.pos AND d.target = given.target AND (d.state = 0 OR d.calls < 1)
  AND d.answered_at IS NULL
"""
LIMIT_S: Final = 60.0
_MICROSECOND: Final = timedelta(microseconds=1)


class BareLedger:
    """`opened` it, then `plan` and `settle`, a transaction each."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @staticmethod
    async def opened(url: str) -> BareLedger:
        connection = await asyncpg.connect(url, timeout=LIMIT_S, command_timeout=LIMIT_S)
        await connection.execute(TABLES)
        return BareLedger(connection)

    async def close(self) -> None:
        await self._connection.close()

    async def plan(self, warning_id: str, chunk_id: int, rows: Sequence[tuple[str, str]]) -> None:
        """`rows`: target and township, in order."""
        targets, townships = [row[0] for row in rows], [row[1] for row in rows]
        async with self._connection.transaction():
            await self._connection.execute(
                PLAN, warning_id, "sms", chunk_id, targets, townships, list(range(len(rows)))
            )

    async def settle(
        self, chunk_id: int, results: Sequence[tuple[int, str, str, datetime, datetime]], state: int
    ) -> None:
        """`results`: place, target, the provider's reference, when the call began and ended."""
        pos, targets, refs, began, ended = (list(column) for column in zip(*results, strict=True))
        async with self._connection.transaction():
            took = [(later - sooner) // _MICROSECOND for sooner, later in zip(began, ended, strict=True)]
            await self._connection.execute(SETTLE, chunk_id, "bench", state, pos, targets, refs, began, ended, took)
