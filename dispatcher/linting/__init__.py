"""Remarks on the words of a warning: does it name source, hazard and impact, place, time and action; does it fit; does a
drill read as one; do its parts contradict one another.

Pure: what the issuer said and the texts made of it come in, remarks come out. It must survive any message that intake lets
through, and it must not cry wolf: each rule speaks only of what it read for sure, and nothing here holds or refuses.

    remark.py      a remark, and what it is about
    speaking.py    every kind of text that people get, once, for the longest name of a place
    reading.py     finding words, in data from config/lint.yaml
    elements.py    source, hazard and impact, place, time, action
    timing.py      times in the text against those of the message
    mixing.py      levels, colours and hazards that contradict one another
    fitting.py     headline, SMS parts, what is cut off, seconds of a loudspeaker, addresses of the web
    drilling.py    drills that read as real, real ones that read as drills
    ordering.py    evacuation, and calling off
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dispatcher.linting import drilling, elements, fitting, mixing, ordering, timing
from dispatcher.linting.remark import Remark, Rule, Said, Severity
from dispatcher.linting.speaking import Spoken, spoken
from dispatcher.model import Kind

__all__ = ["Remark", "Rule", "Said", "Severity", "Spoken", "lint", "spoken"]

_CHECKS: tuple[Callable[[Said], Iterator[Remark]], ...] = (
    elements.check,
    mixing.check,
    timing.check,
    ordering.check,
    drilling.check,
    fitting.check,
)


def lint(said: Said) -> tuple[Remark, ...]:
    """What to change comes first, what to know after it. An answer to another message (Ack, Error) is read by nobody."""
    if said.message.kind in (Kind.ACK, Kind.ERROR):
        return ()
    found = dict.fromkeys(remark for check in _CHECKS for remark in check(said))
    return tuple(sorted(found, key=lambda remark: remark.severity is Severity.NOTE))
