"""Who stands in an area, and who is told: asked of the register in memory, as a warning and the map do."""

from __future__ import annotations

from typing import Any

from dispatcher.registry.register import Register


def measure(register: Register, rounds: int) -> dict[str, Any]:
    return {"residents": len(register.residents.id), "rounds": rounds}
