"""One-time links: how whoever tries the demo comes in as one of its invented people, who have no phone for a code.

A link is 128 bits of randomness, kept as a hash alone, good once and for a day; a new one takes the place of the one before.
Whoever comes by it counts as having shown both factors just now. It must open nothing but the demo: the service hands it to
the web on the demo's stage alone, and never in production.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from dispatcher.accounts.entering import Entrance, Wrong, digest
from dispatcher.store import accounts, audit
from dispatcher.store.accounts import Account, Code
from dispatcher.store.audit import Act
from dispatcher.store.engine import Store, Tx

LINK: Final = "link"
GOOD_FOR: Final = timedelta(hours=24)
BYTES: Final = 16
NO_MORE: Final = "这个链接已用过、已过期，或已有新的代替它：请回到终端，按 l 再按回车，取新链接"


class Links:
    """One for the process."""

    def __init__(self, store: Store, now: Callable[[], datetime], entrance: Entrance) -> None:
        self._store = store
        self._now = now
        self._entrance = entrance

    async def make(self, account_id: str) -> str:
        """A new one in place of the one before: what stands at the end of the address. It is shown now or never."""
        token = secrets.token_hex(BYTES)
        kept = Code(digest=digest(token), purpose=LINK, account_id=account_id, ends_at=self._now() + GOOD_FOR)
        async with self._store.begin() as tx:
            await accounts.put_codes(tx, LINK, account_id, [kept])
            self._log(tx, account_id, "account.link_made")
        return token

    async def whose(self, token: str) -> Account | None:
        """Looked at, not used; None where it opens nothing."""
        async with self._store.read() as tx:
            return (await self._found(tx, token))[1]

    async def enter(self, token: str, address: str) -> str:
        """Uses it up; the token of a whole session. Wrong where it opens nothing."""
        async with self._store.begin() as tx:
            kept, account = await self._found(tx, token)
            if kept is None or account is None or not await accounts.use_code(tx, kept):
                raise Wrong(NO_MORE)
            self._log(tx, account.id, "account.link_used")
            half = await self._entrance.begin(tx, account, address)
        return await self._entrance.complete(half, address)

    async def show_again(self, token: str) -> None:
        """Stands for the code that a session is asked for once more. LookupError where there is no whole session."""
        known = await self._entrance.known(token)
        if known is None or known.half:
            raise LookupError("no session")
        async with self._store.begin() as tx:
            await accounts.proven(tx, known.session.digest, self._now())
            self._log(tx, known.account.id, "account.code_waived")

    async def _found(self, tx: Tx, token: str) -> tuple[Code | None, Account | None]:
        kept = await accounts.code(tx, digest(token), LINK, self._now())
        account = await accounts.by_id(tx, kept.account_id) if kept else None
        return kept, None if account is None or account.disabled_at is not None else account

    def _log(self, tx: Tx, account_id: str, action: str) -> None:
        who = f"account:{account_id}"
        by = "command" if action == "account.link_made" else who
        audit.append(tx, self._now(), Act(actor=by, action=action, subject=who, detail={}))
