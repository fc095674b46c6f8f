"""The bodies by which a person orders something: what is asked, whole and no more; and the answers."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, ValidationError

from dispatcher.intake.native import in_chinese
from dispatcher.web import asking
from dispatcher.web.problems import Problem
from dispatcher.web.shapes import Body, FindingOut

MOST_BYTES: Final = 16 * 1024

Words = Annotated[str, Field(max_length=1000, description="In the person's own words")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="plan_hash of what was before his eyes")]


class Order(Body):
    """What is not known is refused: a misspelt word must not become a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Asked = TypeVar("Asked", bound=Order)


async def read(request: web.Request, kind: type[Asked]) -> Asked:
    """A Problem that says which field is wrong."""
    if request.content_type != "application/json":
        raise Problem(415, "no_content_type", "请用 Content-Type: application/json")
    body = await asking.body_of(request, MOST_BYTES)
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        said = "；".join(in_chinese(fault) for fault in error.errors()[:5])
        raise Problem(422, "bad_order", f"请求内容有误：{said}") from error


class Signed(Order):
    plan_hash: Hash
    reason: Words = ""


class Explained(Order):
    reason: Words


class Said(Order):
    words: Words


class Slip(Order):
    number: Annotated[str, Field(max_length=100, description="The file number of the signed paper")]


class Telephoned(Order):
    """电话请示."""

    plan_hash: Hash
    leader: Annotated[str, Field(max_length=64, description="Login of the leader who said yes")]
    number: Annotated[str, Field(max_length=40, description="The number that was called; kept sealed")]
    at: AwareDatetime
    words: Words


class Unmasked(Order):
    """Whose number is looked at, and why."""

    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True),
        Field(min_length=2, max_length=200, description="What the number is needed for"),
    ]


class NumberOut(Body):
    """`number`: E.164."""

    target: str
    name: str
    number: str


class DraftOut(Body):
    """`findings`: what speaks against it as it stands."""

    warning_id: str
    state: str
    findings: tuple[FindingOut, ...] = ()
    repeated: bool = False


class SubmittedOut(Body):
    """`plan_hash` is what the second person signs."""

    warning_id: str
    plan_hash: str
    rows: int
    findings: tuple[FindingOut, ...] = ()


class ReleasedOut(Body):
    warning_id: str
    plan_hash: str


class DoneOut(Body):
    warning_id: str
