"""The plot of cost against size is a picture any browser shows, and says what it shows."""

from __future__ import annotations

from lxml import etree

from dispatcher.rehearsal.bench.plotting import Point, cost_against_size

SIZES = [Point(messages=1_000_000, cpu_us=110.0), Point(messages=3_200, cpu_us=100.0)]


def test_it_is_one_svg_with_a_dot_a_size_and_the_figures_beside_them() -> None:
    root = etree.fromstring(cost_against_size(SIZES, "2 核").encode())
    texts = [element.text for element in root.iter("{*}text")]
    assert len(list(root.iter("{*}circle"))) == 2
    assert {"100", "110", "10,000", "2 核"} <= set(texts)


def test_dearer_stands_higher_and_larger_stands_further_right() -> None:
    root = etree.fromstring(cost_against_size(SIZES, "").encode())
    small, large = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in root.iter("{*}circle")]
    assert small[0] < large[0]
    assert small[1] > large[1]


def test_one_size_alone_is_shown_too() -> None:
    assert "<circle" in cost_against_size(SIZES[:1], "")
