"""lint.yaml: what the wording lint looks for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Words = tuple[Annotated[str, Field(min_length=1)], ...]
"""An empty word would stand everywhere."""


class LintWords(BaseModel):
    """A word counts wherever it stands, unless it stands in one of the phrases under `unless`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: Words
    unless: Words = ()


class Lint(BaseModel):
    """How long is too long, and a list of words for each thing looked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headline: int = Field(ge=1)
    segments: int = Field(ge=1)
    seconds: int = Field(ge=1)
    characters_a_second: float = Field(gt=0)
    source: LintWords
    impact: LintWords
    action: LintWords
    place: LintWords
    vague_place: LintWords
    vague_time: LintWords
    drill_denied: LintWords
    drill_panic: LintWords
    says_drill: LintWords
    live_drill: LintWords
    evacuate: LintWords
    order: LintWords
    over: LintWords
