"""templates.yaml: what the console fills in for a hazard and a level, so that nobody begins with an empty page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dispatcher.model import Level
from dispatcher.settings.hazards import Hazards

AreaCode = Annotated[str, Field(pattern=r"^(?:[0-9]{6}|[0-9]{9}|[0-9]{12})$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AnyWords(_Frozen):
    """For what has no template of its own."""

    headline: str = Field(default="{sender}发布{event}{colour}预警[{level}级/{grade}]", min_length=1)
    description: str = ""


class IssueTemplate(_Frozen):
    """Words left out are those for any hazard."""

    hazard: str
    level: Level
    hours: int | None = Field(default=None, ge=1, le=240)
    headline: str = ""
    description: str = ""
    instruction: str = ""
    area: tuple[AreaCode, ...] = ()


class Templates(_Frozen):
    """The whole file; without it there is the one for any."""

    any: AnyWords = AnyWords()
    templates: tuple[IssueTemplate, ...] = ()

    def of(self, hazard: str, level: Level) -> IssueTemplate:
        """With every word filled in but the fields."""
        own = next((one for one in self.templates if (one.hazard, one.level) == (hazard, level)), None)
        found = own or IssueTemplate(hazard=hazard, level=level)
        return found.model_copy(
            update={
                "headline": found.headline or self.any.headline,
                "description": found.description or self.any.description,
            }
        )

    def contradictions(self, hazards: Hazards) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What hazards.yaml does not bear out, each with its place in the file."""
        seen: set[tuple[str, Level]] = set()
        for number, one in enumerate(self.templates):
            place = ("templates", number, "hazard")
            if hazards.named(one.hazard) is None:
                yield place, "hazards.yaml 里没有这个灾种"
            if (one.hazard, one.level) in seen:
                yield place, f"“{one.hazard}{one.level.chinese}”写了两次"
            seen.add((one.hazard, one.level))
