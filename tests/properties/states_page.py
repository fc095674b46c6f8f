"""docs/states.md, made from the one table of states: `python -m tests.properties.states_page` writes it anew."""

from __future__ import annotations

from pathlib import Path

from dispatcher.states import BROADCAST, CALL_OUT, DELIVERY, GATEWAY, WARNING, DeliveryState, diagram

PLACE = Path(__file__).resolve().parents[2] / "docs" / "states.md"

_HEAD = """# States

Made from the tables in `dispatcher/states.py` by `python -m tests.properties.states_page`; a test compares the two, so
do not edit it by hand. The same tables are the guards in the SQL.
"""

_PARTS = (
    (
        "A warning 预警",
        WARNING,
        "`received` is never stored alone: what is received is judged in the same transaction.",
    ),
    (
        "A delivery 投递",
        DELIVERY,
        "One row per warning, target, channel and round. *Queued*, *sending* and *doubtful* are derived from its chunk. "
        "A late receipt may still better a row that had ended.",
    ),
    ("A broadcast 广播", BROADCAST, "BrdStateCode 0 to 5 of an EBMStateResponse."),
    ("A gateway 播发网关", GATEWAY, "`unknown` until it was heard of once."),
    ("A call-out 叫应", CALL_OUT, "The table stands; the answer ladder that moves along it is to come."),
)


def page() -> str:
    parts = [_HEAD]
    for title, table, remark in _PARTS:
        ends = "、".join(f"`{state.name.lower()}`" for state, after in table.items() if not after)
        parts.append(f"## {title}\n\n{remark}" + (f" Ends: {ends}." if ends else ""))
        parts.append(f"```mermaid\n{diagram(table)}\n```\n")
    rows = [f"| `{state.label}` | {state.chinese} |" for state in DeliveryState]
    parts.append("## What a delivery's states are called\n\n| state | 中文 |\n|---|---|\n" + "\n".join(rows))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PLACE.write_text(page(), encoding="utf-8")
