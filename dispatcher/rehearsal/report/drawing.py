"""The map as SVG: townships by how much of what was planned for them arrived, a dot for every village of the area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from dispatcher.intake.canonical import from_json
from dispatcher.registry.register import Register
from dispatcher.rehearsal.report.replay import NEVER, Replay, Village
from dispatcher.reporting import Summary
from dispatcher.web.console.sketch import Shape, Sketch, draw

RAMP = ("#f3efe4", "#cfe3d8", "#93c4b1", "#4f9d86", "#1f6f54")
"""Nothing, and four shares of what arrived; the last is everything."""
FULL = 4000
"""The width of a picture whose lines and letters have their plain size."""
RADIUS = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The shapes once, for every map of the night."""

    sketch: Sketch
    dots: Mapping[str, tuple[int, int]]
    names: Mapping[str, str]

    @property
    def height(self) -> int:
        return max((shape.box[3] for shape in (*self.sketch.counties, *self.sketch.townships)), default=1000)

    @property
    def width(self) -> int:
        return max((shape.box[2] for shape in (*self.sketch.counties, *self.sketch.townships)), default=1000)


def style(scope: str, scale: float) -> str:
    """The look of one map; `scale` keeps lines and letters as thick as on the whole city's."""
    rules = {
        ".town": f"fill:#eceeec;stroke:#fff;stroke-width:{3 * scale:.1f}",
        ".county": f"fill:none;stroke:#4a545b;stroke-width:{7 * scale:.1f}",
        ".name": f"font:600 {62 * scale:.0f}px sans-serif;fill:#1b2126;text-anchor:middle;paint-order:stroke;"
        f"stroke:#fff;stroke-width:{14 * scale:.1f}",
        ".small": f"font-size:{56 * scale:.0f}px",
        ".v": f"fill:#fff;stroke:#8a949b;stroke-width:{2 * scale:.1f}",
        ".s": "fill:#e3a33b",
        ".d": f"fill:#0d4a8a;stroke:#fff;stroke-width:{2.5 * scale:.1f}",
        ".p": f"stroke:#ffd23f;stroke-width:{5 * scale:.1f}",
        ".drawn": f"fill:#5b2a86;fill-opacity:.12;stroke:#5b2a86;stroke-width:{9 * scale:.1f};"
        f"stroke-dasharray:{26 * scale:.0f} {14 * scale:.0f}",
        ".mark": "font:64px sans-serif;fill:#59636b",
    }
    return "".join(f"{scope}{name}{{{rule}}}" for name, rule in rules.items())


def picture(register: Register) -> Picture:
    sketch = draw(register)
    fence = register.geofence
    dots = {
        code: (round((lon - sketch.west) * sketch.squeeze * sketch.scale), round((sketch.north - lat) * sketch.scale))
        for code, lat, lon in zip(fence.village_codes, fence.lat.tolist(), fence.lon.tolist(), strict=True)
    }
    names = {code: register.areas[code].name for code in fence.village_codes}
    return Picture(sketch=sketch, dots=dots, names=names)


def final_map(shown: Picture, summary: Summary, night: Replay, marks: str) -> str:
    """A file of its own: how it stood at the end."""
    look = style("", 1.0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-60 -60 {shown.width + 120} {shown.height + 260}" '
        f'role="img"><title>{escape(summary.warning.headline)}</title><style>{look}</style>'
        f'<rect x="-60" y="-60" width="100%" height="100%" fill="#fff"/>{body(shown, summary, night, 1)}'
        f'<text class="mark" x="0" y="{shown.height + 100}">{escape(summary.warning.headline)}</text>'
        f'<text class="mark" x="0" y="{shown.height + 180}">{escape(marks)}</text></svg>\n'
    )


def body(shown: Picture, summary: Summary, night: Replay, scale: float) -> str:
    """Everything inside the svg element, as it stood at the end; townships and villages carry their code."""
    return "".join(
        [
            *(_township(shape, night) for shape in shown.sketch.townships),
            *(f'<path class="county" d="{shape.path}"/>' for shape in shown.sketch.counties),
            *_outline(shown.sketch, summary),
            *(_dot(shown, code, one, scale) for code, one in night.villages.items() if code in shown.dots),
            *(_label(shape, "name") for shape in shown.sketch.counties),
            *(
                _label(shape, "name small")
                for shape in shown.sketch.townships
                if scale < 1 and shape.code in night.townships
            ),
        ]
    )


def zoom(shown: Picture, summary: Summary) -> tuple[str, float]:
    """The view box round the area, with some land about it, and its scale."""
    spots = [shown.dots[str(code)] for code in summary.warning.area["villages"] if str(code) in shown.dots]
    if not spots or len(spots) == len(shown.dots):
        return f"-20 -20 {shown.width + 40} {shown.height + 40}", 1.0
    west, east = _span([x for x, _ in spots])
    north, south = _span([y for _, y in spots])
    return f"{west} {north} {east - west} {south - north}", min(1.0, (east - west) / FULL)


def _span(values: Sequence[int]) -> tuple[int, int]:
    pad = max(300, (max(values) - min(values)) // 2)
    return min(values) - pad, max(values) + pad


def shade(delivered: int, planned: int) -> str:
    if not delivered or not planned:
        return RAMP[0]
    return RAMP[-1] if delivered >= planned else RAMP[1 + min(2, int(delivered / planned * 3))]


def _township(shape: Shape, night: Replay) -> str:
    planned, steps = night.townships.get(shape.code, (0, {}))
    if not planned:
        return f'<path class="town" d="{shape.path}"><title>{escape(shape.name)}：不在范围</title></path>'
    delivered = sum(steps.values())
    fill = shade(delivered, planned)
    told = f"{shape.name}：送达 {delivered:,} / {planned:,}"
    return (
        f'<path class="town" data-t="{shape.code}" style="fill:{fill}" d="{shape.path}">'
        f"<title>{escape(told)}</title></path>"
    )


def _dot(shown: Picture, code: str, village: Village, scale: float) -> str:
    x, y = shown.dots[code]
    kind = "d" if village.delivered != NEVER else "s" if village.sent != NEVER else ""
    ring = " p" if village.played != NEVER else ""
    return (
        f'<circle class="v {kind}{ring}" data-v="{code}" cx="{x}" cy="{y}" r="{RADIUS * max(scale, 0.5):.1f}">'
        f"<title>{escape(shown.names[code])}</title></circle>"
    )


def _label(shape: Shape, name: str) -> str:
    return f'<text class="{name}" x="{shape.x}" y="{shape.y}">{escape(shape.name)}</text>'


def _outline(sketch: Sketch, summary: Summary) -> Iterable[str]:
    drawn = sketch.outline(from_json(summary.warning.message).areas)
    if drawn:
        yield f'<path class="drawn" d="{drawn}"/>'
