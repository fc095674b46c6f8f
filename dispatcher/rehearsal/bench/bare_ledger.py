"""The ledger's rows by bare asyncpg: the same table shape, rows, transactions and indexes, with nothing of ours between.

`plan` inserts by one unnest a chunk; `settle` moves rows by UPDATE … FROM unnest and appends their attempts, as the store
does. It is the one place outside the store where SQL is written, because the store is what it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg

TABLES: Final = """
CREATE TABLE bare_deliveries (LIKE deliveries INCLUDING ALL) WITH (fillfactor = 50);
CREATE TABLE bare_attempts (LIKE attempts INCLUDING ALL);
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
  ended_at = NULL
FROM unnest($4::int[], $5::text[], $6::text[], $7::timestamptz[]) AS given (pos, target, ref, at)
WHERE d.chunk_id = $1 AND d.pos = given.pos AND d.target = given.target AND (d.state = 0 OR d.calls < 1)
"""
APPEND: Final = """
INSERT INTO bare_attempts (warning_id, channel, target, round, no, provider, started_at, ended_at, outcome, code, reason,
  provider_ref, possible_duplicate, trace)
SELECT $1, $2, given.target, 0, 1, $3, given.at, given.ended, 'accepted', '', '', given.ref, false, ''
FROM unnest($4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[]) AS given (target, ref, at, ended)
ON CONFLICT DO NOTHING
"""
LIMIT_S: Final = 60.0


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
        self, warning_id: str, chunk_id: int, results: Sequence[tuple[int, str, str, datetime, datetime]], state: int
    ) -> None:
        """`results`: place, target, the provider's reference, when the call began and ended."""
        pos, targets, refs, began, ended = (list(column) for column in zip(*results, strict=True))
        async with self._connection.transaction():
            await self._connection.execute(SETTLE, chunk_id, "bench", state, pos, targets, refs, began)
            await self._connection.execute(APPEND, warning_id, "sms", "bench", targets, refs, began, ended)
