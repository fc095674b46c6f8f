"""What capparser, a CAP library that knows nothing of ours, finds in an alert."""

from __future__ import annotations

import capparser

from dispatcher.model import WarningMessage

Found = list[tuple[str, list[list[tuple[float, float]]], list[tuple[float, float, float]], list[tuple[str, str]]]]
"""Each area: description, polygons, circles, geocodes."""


class _Info(capparser.Info):  # type: ignore[misc]  # the library has no types
    """Its own keeps the categories of one block in the default of the next, and fails on it."""

    def __init__(self) -> None:
        super().__init__(category=[capparser.Category.Other])


capparser.element.Info = _Info


def areas_by_capparser(alert: bytes) -> Found:
    parsed = capparser.parse(stringXML=alert)
    return [
        (
            _said(area.areaDesc)[0],
            [[_pair(pair) for pair in ring.split()] for ring in _said(area.polygon)],
            [(*_pair(circle.split()[0]), float(circle.split()[1])) for circle in _said(area.circle)],
            [(_said(one.valueName)[0], _said(one.value)[0]) for one in _said(area.geocode)],
        )
        for info in _said(parsed.info)
        for area in _said(info.area)
    ]


def areas_of(message: WarningMessage) -> Found:
    return [
        (
            area.description,
            [[(point.lat, point.lon) for point in ring] for ring in area.polygons],
            [(circle.center.lat, circle.center.lon, circle.radius_km) for circle in area.circles],
            [(code.scheme, code.value) for code in area.geocodes],
        )
        for area in message.areas
    ]


def _pair(text: str) -> tuple[float, float]:
    lat, lon = text.split(",")
    return float(lat), float(lon)


def _said(value: tuple) -> list:  # type: ignore[type-arg]  # (what was said, its place): one thing, or a list of them
    said = value[0]
    return said if isinstance(said, list) else [] if said is None else [said]
