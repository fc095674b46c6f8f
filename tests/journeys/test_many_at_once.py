"""A storm of warnings through one door: every one is kept, because no two wait for each other's database connection."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.registry.sample import Wish
from tests.browser.standing import NOWHERE, cap, code, settle_in, standing

AT_ONCE = 60
"""More than twice the connections a process may have."""


@pytest.mark.timeout(120)
async def test_sixty_warnings_at_once_are_all_kept(postgres_url: str) -> None:
    await settle_in(postgres_url, Wish(gateways_at=NOWHERE, endpoints_at=NOWHERE, officers=700))
    async with standing(postgres_url) as house, asyncio.TaskGroup() as group:
        posts = [
            group.create_task(house.post(cap(f"storm-{number}", where=code("360827102000"))))
            for number in range(AT_ONCE)
        ]
    assert [post.result()[:2] for post in posts if post.result()[0] != 202] == []
