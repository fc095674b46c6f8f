"""One open service for each file of attacks: real register, real socket; nothing is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.standing import House, filled, standing


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    url = await filled(tmp_path_factory.mktemp("jian") / "jian.db", officers=600)
    async with standing(url) as opened:
        yield opened
