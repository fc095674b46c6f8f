"""An unknown name takes as long as a known one."""

from __future__ import annotations

from argon2 import extract_parameters

from dispatcher.accounts.password import NOBODY, hashed, matches


async def test_a_name_nobody_has_is_hashed_at_the_cost_of_any_other() -> None:
    assert extract_parameters(NOBODY) == extract_parameters(await hashed("一个真正的口令 of somebody"))


async def test_nobody_enters_by_the_hash_that_stands_for_nobody() -> None:
    assert not await matches("", "")
    assert not await matches("nobody has this password", "")
