"""templates.yaml: what the console fills in."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest

from dispatcher.model import Level
from dispatcher.settings import PROJECT, BadConfiguration, load
from dispatcher.settings.templates import Templates

TEMPLATES = load({}).templates


def test_every_template_shipped_has_words_and_no_blank_left_to_fill() -> None:
    for one in TEMPLATES.templates:
        words = TEMPLATES.of(one.hazard, one.level)
        assert words.headline
        assert words.description
        assert "＿" not in words.description
        assert "__" not in words.description


def test_what_has_no_template_gets_the_one_for_any() -> None:
    assert TEMPLATES.of("溺水", Level.BLUE).description == TEMPLATES.any.description


def test_a_folder_without_the_file_still_starts() -> None:
    assert Templates().of("暴雨", Level.RED).headline


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  - {hazard: 没有的灾种, level: red}", "hazards.yaml 里没有这个灾种"),
        ("  - {hazard: 暴雨, level: red}", "写了两次"),
        ("  - {hazard: 大雾, level: purple}", "level"),
        ("  - {hazard: 大雾, level: red, area: ['12']}", "area"),
        ("  - {hazard: 大雾, level: red, headlin: x}", "headlin"),
    ],
)
def test_a_fault_stops_the_start_with_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    folder = tmp_path / "config"
    copytree(PROJECT / "config", folder, ignore=lambda place, names: [one for one in names if one == "scenarios"])
    file = folder / "templates.yaml"
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(BadConfiguration, match=rf"templates\.yaml:\d+.*{said}"):
        load({"MINGLUO_CONFIG": str(folder)})


def test_a_map_layer_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(BadConfiguration, match="map_layers"):
        load({"MINGLUO_MAP_LAYERS": "[jian/none.geojson]"})
