"""The live stream, for whoever may look: of what touches his area, and no longer than he may."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from dispatcher.accounts.authority import Means
from dispatcher.store import headlines
from dispatcher.web import guard
from dispatcher.web.asker import Asker, asker, stems
from dispatcher.web.live import Viewer, stream
from dispatcher.web.parts import Parts, parts


async def live(request: web.Request) -> web.StreamResponse:
    site, who, own = parts(request), asker(request), stems(request)

    async def sees(warning_ids: Sequence[str]) -> set[str]:
        async with site.doors.context.store.read() as tx:
            return await headlines.touching(tx, warning_ids, own)

    shown = guard.bearer(request)
    viewer = Viewer(sees=sees if own else None, still=lambda: _still(site, who, shown), now=site.doors.context.now)
    return await stream(request, site.feed, site.closing, viewer, resumes=not site.training)


async def _still(site: Parts, who: Asker, shown: str) -> bool:
    """Whoever was disabled or signed out, or has another role or area now, sees nothing more from this second on."""
    if who.principal.means is Means.VISITOR:
        return await site.keeper.empty()
    if who.known is None:
        return who.principal.means is Means.SOURCE or await site.entrance.system(shown) == who.principal
    now = await site.entrance.known(who.token)
    return now is not None and (now.account.role, now.account.scope) == (
        who.known.account.role,
        who.known.account.scope,
    )
