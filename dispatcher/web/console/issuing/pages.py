"""The handlers of the issue page: it is shown, it counts while somebody draws, reads back while somebody types, and is saved.

Saving and putting forward are the verbs of `pipeline/`; what hinders them comes back on the same page with all that was
typed, for nobody writes a warning twice at 02:39.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from dispatcher.intake.canonical import from_json
from dispatcher.model import GROUPS, RISK_TAGS, Code, Kind, Level, Role, Scope
from dispatcher.pipeline import drafting
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.count import count
from dispatcher.pipeline.draft import Draft, draft
from dispatcher.pipeline.edit import edit
from dispatcher.pipeline.lint import lint
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.pipeline.preview import preview
from dispatcher.pipeline.submit import submit
from dispatcher.registry.register import Register
from dispatcher.store import warnings
from dispatcher.store.warnings import TextRow, WarningRow
from dispatcher.web import asker, asking, guard
from dispatcher.web.answering import as_json
from dispatcher.web.api.lifecycle import status_of
from dispatcher.web.console.framing import framed
from dispatcher.web.console.issuing import drawing, fields, showing
from dispatcher.web.console.issuing.fields import Base, Fields
from dispatcher.web.console.issuing.showing import Mode
from dispatcher.web.console.naming import called
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem
from dispatcher.web.shapes import Body

JSON: Final = "application/json"
_CHOICES: Final = {"roles": tuple(Role), "groups": GROUPS, "risk_tags": RISK_TAGS}


class NamesOut(Body):
    """What a pasted list of names means: codes of units, and the lines that name none we know."""

    codes: tuple[str, ...]
    names: tuple[str, ...]
    unread: tuple[str, ...]


class TemplateOut(Body):
    """Words to be filled in; `area` as the map's hidden field holds it."""

    headline: str
    description: str
    instruction: str
    until: str
    area: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """Whoever writes, and what he writes with. `row`: what is edited or updated; whose it is was looked at with the path."""

    request: web.Request
    context: Context
    register: Register
    scope: tuple[str, ...]
    mode: Mode
    row: WarningRow | None = None

    @property
    def path(self) -> str:
        return "/issue" if self.row is None else f"/warnings/{self.row.id}/{self.mode}"

    def begun(self, typed: Fields) -> Base:
        """What the form is laid over: the draft that is edited, else a beginning."""
        if self.row is not None and self.mode is Mode.EDIT:
            return Base(said=fields.kept(from_json(self.row.message)), areas=self.register.areas)
        said = fields.beginning(self.context.settings, typed, self.context.now())
        if self.row is not None:
            said = fields.updating(said, from_json(self.row.message))
        return Base(said=said, areas=self.register.areas)

    def read(self, typed: Fields) -> tuple[Fields, tuple[str, ...]]:
        """With the units that its pasted names mean; and the lines that mean nothing."""
        drawn, unread = drawing.with_names(typed.drawing, typed.names, self.register, self.scope)
        return replace(typed, drawing=drawn, names="\n".join(unread)), unread


async def _at(request: web.Request) -> _Writing:
    context = parts(request).doors.context
    row = None
    if "id" in request.match_info:
        async with context.store.read() as tx:
            row = await warnings.one(tx, asking.warning_id(request))
        if row is None:
            raise asking.no_such_warning()
        if row.scope == Scope.PRIVATE:
            raise Problem(409, "private", "这条预警只给指定的收件人，不能在这里改：请按原报文联系发布单位")
    mode = Mode.NEW if row is None else Mode.EDIT if "/edit" in request.path else Mode.UPDATE
    scope = tuple(asker.principal(request).scope)
    return _Writing(
        request=request, context=context, register=await context.register(), scope=scope, mode=mode, row=row
    )


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def new(request: web.Request) -> web.Response:
    """An empty page; with `hazard` and `level` its template is filled in: two clicks to a draft."""
    here = await _at(request)
    now, settings = here.context.now(), here.context.settings
    typed = replace(fields.fresh(settings.service, now), drill=asking.word(request, "drill", ("1",)) == "1")
    level = asking.word(request, "level", [str(one) for one in Level])
    if hazard := request.query.get("hazard", ""):
        typed = fields.worded(replace(typed, hazard=hazard, level=Level(level) if level else None), settings, now)
    return await _shown(here, typed)


async def change(request: web.Request) -> web.Response:
    here = await _at(request)
    assert here.row is not None
    typed, unread = here.read(showing.draft_of(here.row))
    return await _shown(here, typed, unread=unread)


async def update(request: web.Request) -> web.Response:
    here = await _at(request)
    assert here.row is not None
    if here.row.released_at is None:
        raise Problem(409, "not_released", "这条预警没有发出过，不用更新：请直接修改草稿")
    before, service = from_json(here.row.message), here.context.settings.service
    typed, unread = here.read(fields.carried_on(before, service, here.context.now()))
    return await _shown(here, typed, unread=unread)


async def _shown(here: _Writing, typed: Fields, status: int = 200, **more: Any) -> web.Response:
    """With its counts, and read back where somebody wrote something, so that it is whole without a script too."""
    page = showing.page_of(here.context, here.register, (here.path, here.mode), typed)
    found = await count(here.context, fields.native(typed, here.begun(typed)), here.scope)
    told: dict[str, Any] = {
        "page": replace(page, **{"row": here.row, **more}),
        "strip": showing.strip(here.register, typed, found),
    }
    if here.row is not None or here.request.method == "POST":
        told |= await _read_back(here, typed)
    told |= {"typed": typed, "before": await _before(here), **_CHOICES}
    return framed(here.request, "issue.html", told, status=status)


async def _before(here: _Writing) -> tuple[TextRow, ...]:
    """What those already reached read until now: one wording a channel."""
    if here.row is None or here.mode is not Mode.UPDATE:
        return ()
    async with here.context.store.read() as tx:
        texts = await warnings.texts_of(tx, here.row.id)
    first: dict[str, TextRow] = {}
    for text in texts.values():
        first.setdefault(text.channel, text)
    return tuple(first.values())


# ── while somebody draws and types ──────────────────────────────────────────────────────────────────────────────────


async def audience(request: web.Request) -> web.Response:
    """The strip below: counted anew at every move of the mouse, with what a hand is still drawing."""
    here, given = await _at(request), await guard.form_of(request)
    typed, _ = here.read(fields.typed({**given, "area": given.get("sketch") or given.get("area", "")}))
    found = await count(here.context, fields.native(typed, here.begun(typed)), here.scope)
    return framed(request, "issue_audience.html", {"strip": showing.strip(here.register, typed, found), "typed": typed})


async def words(request: web.Request) -> web.Response:
    """How it reads and sounds, what the lint says, and the forecast; asked at a pause."""
    here, (typed, _) = await _given(request)
    return framed(request, "issue_words.html", await _read_back(here, typed))


async def _read_back(here: _Writing, typed: Fields) -> dict[str, object]:
    """What `issue_words.html` shows."""
    context, body = here.context, fields.native(typed, here.begun(typed))
    source = drafting.desk(here.scope)
    previewed = await preview(context, body, JSON, source, context.now())
    linted = await lint(context, body, JSON, source)
    return {"words": showing.words(previewed, linted), "lint": context.settings.lint}


async def names(request: web.Request) -> web.Response:
    """Units a pasted list names, for the map to choose."""
    here, given = await _at(request), await guard.form_of(request)
    found, unread = drawing.with_names(drawing.Drawing(), given.get("names", ""), here.register, here.scope)
    places = tuple(called(here.register, code) for code in found.codes)
    return as_json(NamesOut(codes=found.codes, names=places, unread=unread))


async def template(request: web.Request) -> web.Response:
    """The words of a hazard and a level, as fields of the form."""
    here, (typed, _) = await _given(request)
    filled = fields.worded(typed, here.context.settings, here.context.now())
    return as_json(TemplateOut(headline=filled.headline, description=filled.description, instruction=filled.instruction,
                               until=filled.until, area=filled.area_text))  # fmt: skip


async def ground(request: web.Request) -> web.Response:
    """What lies under the map. Answers If-None-Match; every browser we know reads gzip."""
    site = parts(request)
    context = site.doors.context
    made = await site.grounds.of(await context.register(), context.settings.layers)
    headers = {"ETag": f'"{made.tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if f'"{made.tag}"' in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    if packed:
        headers["Content-Encoding"] = "gzip"
    body = made.packed if packed else gzip.decompress(made.packed)
    return web.Response(body=body, content_type="application/geo+json", charset="utf-8", headers=headers)


# ── saving ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def save(request: web.Request) -> web.StreamResponse:
    """`do`: save, or submit; without a script also fill, which fills in a template."""
    here, given = await _at(request), await guard.form_of(request)
    fills = given.get("do") == "fill"
    try:
        typed, unread = here.read(fields.typed(given))
        typed = fields.worded(typed, here.context.settings, here.context.now()) if fills else typed
    except Problem as mistake:
        return await _shown(here, fields.readable(given), mistake.status, why=mistake.detail)
    if fills:
        return await _shown(here, typed)
    if unread:
        return await _shown(here, typed, 422, unread=unread, why="有的地名认不出来：请改正，或在地图上划定")
    return await _put_away(here, typed, submits=given.get("do") == "submit")


async def _put_away(here: _Writing, typed: Fields, *, submits: bool) -> web.StreamResponse:
    begun = await _begun_once(here, typed)
    if submits and not typed.placed and begun.said["kind"] != Kind.CANCEL:
        return await _shown(here, typed, 422, why="还没有划定区域：请在地图上点选、画，或粘贴地名，再送签")
    body, number = fields.native(typed, begun), ""
    try:
        kept = await _saved(here, body, typed)
        number = kept.warning_id
        if not submits:
            return web.Response(status=303, headers={"Location": f"/warnings/{number}/edit"})
        await submit(here.context, asker.principal(here.request), number, kept.digest)
    except NotDone as why:
        return await _hindered(here, (typed, number), why)
    return web.Response(status=303, headers={"Location": f"/warnings/{number}"})


async def _begun_once(here: _Writing, typed: Fields) -> Base:
    """What was kept under this number keeps its time: pressed again, however late, it is the same draft."""
    begun = here.begun(typed)
    if here.mode is Mode.EDIT:
        return begun
    async with here.context.store.read() as tx:
        row = await warnings.by_number(tx, begun.said["sender"], begun.said["identifier"])
    return begun if row is None else replace(begun, said={**begun.said, "sent": fields.stamp(row.sent)})


async def _saved(here: _Writing, body: bytes, typed: Fields) -> Draft:
    who = asker.principal(here.request)
    if here.row is not None and here.mode is Mode.EDIT:
        return await edit(here.context, who, here.row.id, body, typed.seen)
    return await draft(here.context, who, body)


async def _hindered(here: _Writing, what: tuple[Fields, str], why: NotDone) -> web.Response:
    """The same page with all that was typed; what was saved before it was hindered is edited from here on."""
    typed, number = what
    theirs, sentence = tuple[tuple[str, str], ...](), why.sentence
    if number or why.hindrance is Hindrance.CHANGED:
        here = await _now_edits(here, number or asking.warning_id(here.request))
        assert here.row is not None
        kept = showing.draft_of(here.row)
        theirs = showing.differences(typed, kept) if why.hindrance is Hindrance.CHANGED else ()
        typed = replace(typed, seen=kept.seen)
    elif why.code is Code.DUPLICATE_CONFLICT:
        number_of = fields.fresh(here.context.settings.service, here.context.now())
        typed = replace(typed, identifier=number_of.identifier, sent=number_of.sent)
        sentence = "这份草稿刚才可能已经存过一次，请先看草稿列表；再按一次会另存一份"
    more = {"why": sentence, "findings": why.findings, "theirs": theirs}
    return await _shown(here, typed, status_of(why.hindrance), **more)


async def _now_edits(here: _Writing, number: str) -> _Writing:
    async with here.context.store.read() as tx:
        row = await warnings.one(tx, number)
    assert row is not None, "what was just saved is there"
    return replace(here, mode=Mode.EDIT, row=row)


async def _given(request: web.Request) -> tuple[_Writing, tuple[Fields, tuple[str, ...]]]:
    """The form, its pasted names read; and the lines that name nothing."""
    here, given = await _at(request), await guard.form_of(request)
    return here, here.read(fields.typed(given))
