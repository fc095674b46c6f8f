"""Cost against size as one SVG file, made by hand: what a message costs at three thousand, a hundred thousand, a million.

Pure: figures in, text out. The size runs by powers of ten; the cost begins at zero, so that flat looks flat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 400
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 50, 60
BOUND: Final = 1.15
STEPS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """So many messages, and what each cost the dispatcher's process."""

    messages: int
    cpu_us: float


def cost_against_size(points: Sequence[Point], subtitle: str) -> str:
    """A line through the points, the bound over the first of them, and both axes in words."""
    ordered = sorted(points, key=lambda point: point.messages)
    top = _round_up(max(BOUND * ordered[0].cpu_us, *(point.cpu_us for point in ordered)))
    frame = _Frame(least=ordered[0].messages, most=ordered[-1].messages, top=top)
    line = " ".join(f"{frame.x(point.messages):.1f},{frame.y(point.cpu_us):.1f}" for point in ordered)
    bound = frame.y(BOUND * ordered[0].cpu_us)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text((LEFT, 22), "每条消息的 CPU（发送进程，微秒）与条数", size=16),
        _text((LEFT, 40), subtitle, size=12),
        *_axes(frame),
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bound:.1f}" y2="{bound:.1f}" stroke="#c00" stroke-dasharray="6 4"/>',
        _text((WIDTH - RIGHT, bound - 6), f"目标：不超过最小一档的 {BOUND} 倍", anchor="end", colour="#c00"),
        f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="2.5"/>',
    ]
    for point in ordered:
        x, y = frame.x(point.messages), frame.y(point.cpu_us)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="#06c"/>')
        parts.append(_text((x, y + 20), f"{point.cpu_us:.0f}", anchor="middle", colour="#06c"))
    return "\n".join([*parts, "</svg>", ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    least: int
    most: int
    top: float

    def x(self, messages: float) -> float:
        """By powers of ten; in the middle where there is but one size."""
        whole = math.log(self.most / self.least)
        share = math.log(messages / self.least) / whole if whole else 0.5
        return LEFT + 30 + share * (WIDTH - LEFT - RIGHT - 60)

    def y(self, cpu_us: float) -> float:
        return HEIGHT - BOTTOM - cpu_us / self.top * (HEIGHT - TOP - BOTTOM)


def _axes(frame: _Frame) -> list[str]:
    parts = []
    for step in range(STEPS + 1):
        value = frame.top * step / STEPS
        y = frame.y(value)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(_text((LEFT - 8, y + 4), f"{value:g}", anchor="end"))
    for power in range(3, 8):
        messages = 10**power
        if frame.least <= messages <= frame.most:
            parts.append(_text((frame.x(messages), HEIGHT - BOTTOM + 20), f"{messages:,}", anchor="middle"))
    parts.append(_text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14), "一份预警的条数", anchor="middle"))
    return parts


def _text(at: tuple[float, float], said: str, *, anchor: str = "start", colour: str = "#333", size: int = 13) -> str:
    x, y = at
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">{escape(said)}</text>'
    )


def _round_up(value: float) -> float:
    """To a number people read: 1, 2 or 5 times a power of ten, in fifths."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0) if step * power >= value)
