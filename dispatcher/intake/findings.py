"""What decoding says: a message, or none, and everything that speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.model import Code, Finding, Verdict, WarningMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """`message` is there whenever its head could be read, so that a refusal can be shown and audited by name.

    Whether it may go further is said by `findings` alone: a message beside a refusal is never to be sent.
    """

    message: WarningMessage | None
    findings: tuple[Finding, ...]


class Unreadable(Exception):
    """Nothing can be made of these bytes; carries the refusals. Never leaves intake."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("；".join(finding.reason for finding in findings))
        self.findings = findings


def refuse(code: Code, reason: str) -> Finding:
    return Finding(code=code, verdict=Verdict.REJECT, reason=reason)


def hold(code: Code, reason: str) -> Finding:
    return Finding(code=code, verdict=Verdict.HOLD, reason=reason)


def note(code: Code, reason: str) -> Finding:
    """Said to whoever reads, stands in nobody's way."""
    return Finding(code=code, verdict=Verdict.ACCEPT, reason=reason)
