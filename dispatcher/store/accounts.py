"""Accounts, sessions, codes and tokens of systems: by hash alone, so that a dump of the database opens no door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, or_, select, update

from dispatcher.store.engine import Tx, upsert
from dispatcher.store.tables import accounts, codes, sessions, throttles, tokens


class Factor(StrEnum):
    """What an account shows beside its password; ten codes on paper stand in for either."""

    APP = "totp"
    SMS = "sms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`phone` and `totp` are sealed; `password` is an argon2id hash, '' until one was set. `sms_at`: since when codes by SMS
    are the second factor."""

    id: str
    login: str
    name: str
    role: str
    scope: tuple[str, ...]
    phone: bytes
    password: str
    password_at: datetime | None
    totp: bytes | None
    totp_step: int
    on_duty: bool
    created_at: datetime
    disabled_at: datetime | None
    sms_at: datetime | None = None

    @property
    def factor(self) -> Factor | None:
        """Where there is an app it is the app: the stronger one is not lowered by the other."""
        if self.totp is not None:
            return Factor.APP
        return Factor.SMS if self.sms_at is not None else None

    @property
    def ready(self) -> bool:
        """Has a password and a second factor."""
        return bool(self.password) and self.factor is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`proven_at`: when the second factor was last shown; None while only the password was."""

    digest: str
    account_id: str
    created_at: datetime
    seen_at: datetime
    proven_at: datetime | None
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A system's. `created_by`: the account that made it."""

    id: str
    digest: str
    name: str
    role: str
    scope: tuple[str, ...]
    created_at: datetime
    created_by: str
    ends_at: datetime
    revoked_at: datetime | None


# ── accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def add(tx: Tx, account: Account) -> None:
    """IntegrityError where the login is taken."""
    values = {name: getattr(account, name) for name in Account.__dataclass_fields__}
    await tx.execute(insert(accounts).values({**values, "scope": list(account.scope)}))


async def change(tx: Tx, account_id: str, **values: object) -> bool:
    """False where there is no such account."""
    return (await tx.execute(update(accounts).where(accounts.c.id == account_id).values(**values))).rowcount == 1


async def use_step(tx: Tx, account_id: str, step: int) -> bool:
    """A TOTP step is good once, and none is good that lies before it: False where it was used."""
    done = await tx.execute(
        update(accounts).where(accounts.c.id == account_id, accounts.c.totp_step < step).values(totp_step=step)
    )
    return done.rowcount == 1


async def by_login(tx: Tx, login: str) -> Account | None:
    rows = await tx.execute(select(accounts).where(accounts.c.login == login))
    return _account(rows.mappings().one_or_none())


async def by_id(tx: Tx, account_id: str, *, held: bool = False) -> Account | None:
    """`held`: nobody changes it until this transaction ends (SQLite has one writer)."""
    wanted = select(accounts).where(accounts.c.id == account_id)
    if held:
        wanted = wanted.with_for_update(read=True)
    return _account((await tx.execute(wanted)).mappings().one_or_none())


async def every(tx: Tx) -> list[Account]:
    """By login."""
    rows = (await tx.execute(select(accounts).order_by(accounts.c.login))).mappings()
    return [found for row in rows if (found := _account(row)) is not None]


async def names(tx: Tx, ids: Sequence[str]) -> dict[str, str]:
    """Id → name, of those that there are."""
    rows = await tx.execute(select(accounts.c.id, accounts.c.name).where(accounts.c.id.in_(ids)))
    return {row.id: row.name for row in rows}


async def count(tx: Tx) -> int:
    return int((await tx.execute(select(func.count()).select_from(accounts))).scalar_one())


def _account(row: RowMapping | None) -> Account | None:
    if row is None:
        return None
    values: dict[str, Any] = {**row, "scope": tuple(row["scope"])}
    return Account(**values)


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def open_session(tx: Tx, session: Session) -> None:
    await tx.execute(insert(sessions).values(**{name: getattr(session, name) for name in Session.__dataclass_fields__}))


async def session(tx: Tx, digest: str) -> tuple[Session, Account] | None:
    """With its account as it is now: whoever was disabled, or has another role, is that at once."""
    found = (await tx.execute(select(sessions).where(sessions.c.digest == digest))).mappings().one_or_none()
    account = await by_id(tx, found["account_id"]) if found else None
    return (Session(**found), account) if found and account else None


async def sessions_of(tx: Tx, digests: Sequence[str]) -> dict[str, tuple[Session, Account]]:
    """Those that there are, each as `session` finds it."""
    names = list(Session.__dataclass_fields__)
    both = select(*(sessions.c[name].label(f"session_{name}") for name in names), accounts)
    rows = await tx.execute(
        both.join(accounts, accounts.c.id == sessions.c.account_id).where(sessions.c.digest.in_(digests))
    )
    found = {}
    for row in rows.mappings():
        one = Session(**{name: row[f"session_{name}"] for name in names})
        values: dict[str, Any] = {name: row[name] for name in Account.__dataclass_fields__}
        found[one.digest] = one, Account(**{**values, "scope": tuple(values["scope"])})
    return found


async def seen(tx: Tx, digest: str, now: datetime) -> None:
    await tx.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=now))


async def proven(tx: Tx, digest: str, now: datetime) -> bool:
    done = await tx.execute(update(sessions).where(sessions.c.digest == digest).values(proven_at=now, seen_at=now))
    return done.rowcount == 1


async def close_session(tx: Tx, digest: str) -> None:
    await tx.execute(delete(sessions).where(sessions.c.digest == digest))


async def close_sessions(tx: Tx, account_id: str, *, but: str = "") -> None:
    await tx.execute(delete(sessions).where(sessions.c.account_id == account_id, sessions.c.digest != but))


async def close_stale(tx: Tx, *, seen_before: datetime, begun_before: datetime) -> int:
    done = await tx.execute(
        delete(sessions).where(or_(sessions.c.seen_at < seen_before, sessions.c.created_at < begun_before))
    )
    return done.rowcount


# ── codes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Good once. `account_id` is '' for the first account of all; `ends_at` None: until it is used."""

    digest: str
    purpose: str
    account_id: str
    ends_at: datetime | None


async def put_codes(tx: Tx, purpose: str, account_id: str, some: Sequence[Code]) -> None:
    """In the place of all of that purpose that this account had."""
    await tx.execute(delete(codes).where(codes.c.purpose == purpose, codes.c.account_id == account_id))
    rows = [{name: getattr(one, name) for name in Code.__dataclass_fields__} for one in some]
    if rows:
        await tx.execute(insert(codes), rows)


async def code(tx: Tx, digest: str, purpose: str, now: datetime) -> Code | None:
    """Looked at, not used; None where there is none, or its time is over."""
    wanted = select(*(codes.c[name] for name in Code.__dataclass_fields__))
    found = (await tx.execute(wanted.where(codes.c.digest == digest, codes.c.purpose == purpose))).mappings().first()
    if found is None or (found["ends_at"] is not None and found["ends_at"] <= now):
        return None
    return Code(**found)


async def use_code(tx: Tx, one: Code) -> bool:
    """False where somebody used it a moment before."""
    return (await tx.execute(delete(codes).where(codes.c.digest == one.digest))).rowcount == 1


async def codes_left(tx: Tx, purpose: str, account_id: str) -> int:
    wanted = select(func.count()).select_from(codes)
    return int(
        (await tx.execute(wanted.where(codes.c.purpose == purpose, codes.c.account_id == account_id))).scalar_one()
    )


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def add_token(tx: Tx, token: Token) -> None:
    values = {name: getattr(token, name) for name in Token.__dataclass_fields__}
    await tx.execute(insert(tokens).values({**values, "scope": list(token.scope)}))


async def token(tx: Tx, digest: str) -> Token | None:
    row = (await tx.execute(select(tokens).where(tokens.c.digest == digest))).mappings().one_or_none()
    return Token(**{**row, "scope": tuple(row["scope"])}) if row else None


async def all_tokens(tx: Tx) -> list[Token]:
    rows = (await tx.execute(select(tokens).order_by(tokens.c.created_at))).mappings()
    return [Token(**{**row, "scope": tuple(row["scope"])}) for row in rows]


async def revoke_token(tx: Tx, token_id: str, now: datetime) -> bool:
    done = await tx.execute(
        update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return done.rowcount == 1


# ── guessing ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def failures(tx: Tx, keys: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    rows = await tx.execute(select(throttles).where(throttles.c.key.in_(keys)))
    return {row.key: (row.failures, row.last_at) for row in rows}


async def failed(tx: Tx, keys: Sequence[str], now: datetime) -> None:
    for key in sorted(keys):
        put = upsert(tx, throttles).values(key=key, failures=1, last_at=now)
        more = {"failures": throttles.c.failures + 1, "last_at": now}
        await tx.execute(put.on_conflict_do_update(index_elements=["key"], set_=more))


async def hold_guesses(tx: Tx, key: str) -> None:
    """Whoever else guesses under this key waits until this transaction ends (SQLite has one writer)."""
    if tx.dialect.name == "postgresql":
        await tx.execute(select(func.pg_advisory_xact_lock(int(key[:15], 16))))


async def take_back(tx: Tx, keys: Sequence[str]) -> None:
    """What was counted as a failure was none."""
    await tx.execute(update(throttles).where(throttles.c.key.in_(keys)).values(failures=throttles.c.failures - 1))


async def forgive(tx: Tx, keys: Sequence[str]) -> None:
    await tx.execute(delete(throttles).where(throttles.c.key.in_(keys)))


async def forget_failures(tx: Tx, before: datetime) -> None:
    await tx.execute(delete(throttles).where(throttles.c.last_at < before))
