"""Who may let a warning go.

Until accounts come, only a trusted source's warning is released without a person; any other waits as held with code 250,
named and visible. In profile production trusted requires signed (checked at start): a routing key is no proof of who speaks.
"""

from __future__ import annotations

from dispatcher.model import Code, Finding, Status, Verdict, WarningMessage
from dispatcher.settings import Source


def needs_person(message: WarningMessage, source: Source) -> Finding | None:
    """None where the source may release by itself; else the hold that says a person is needed."""
    if source.trusted:
        return None
    return Finding(
        code=Code.APPROVAL_MISSING,
        verdict=Verdict.HOLD,
        reason=f"来源“{source.name}”未设为直通，须经值班员核对；本版还没有核对的页面，只留存、不发送",
    )


def sendable(message: WarningMessage) -> bool:
    """System, Test and Draft messages are validated and recorded, and go no further."""
    return message.status in (Status.ACTUAL, Status.EXERCISE)
