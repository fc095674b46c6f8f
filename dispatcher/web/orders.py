"""The bodies by which a person orders something of a warning: what is asked, whole and no more; and the answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field

from dispatcher.web.shapes import Body, FindingOut

Words = Annotated[str, Field(max_length=1000, description="In the person's own words")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="plan_hash of what was before his eyes")]


class Order(Body):
    """What is not known is refused: a misspelt word must not become a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
