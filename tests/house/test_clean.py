"""No tracked file knows where it was written: no registry's host, no path of a machine, no secret, no phone that rings."""

from __future__ import annotations

import re

from tests.house.tree import PROJECT, tracked

REGISTRIES = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("docker", "pkg", "dev"),
            ("pkg", "dev"), ("jfrog", "io"), ("crates", "io"), ("proxy", "golang", "org"), ("unpkg", "com"),
            ("jsdelivr", "net"), ("tuna", "tsinghua"), ("mirrors", "aliyun"), ("deb", "debian", "org"),
        )
    )
)  # fmt: skip
MACHINES = re.compile(r"(?<![\w.:/~$}])/(?:work|root|Users|home)/[\w.-]+")
RINGS = re.compile(r"(?<![\d.])(?:\+?86)?(1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])\d{8})(?![\d.])")
"""A mobile number some carrier has issued; 154 is issued by none."""
KEYS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|(?<![0-9a-zA-Z])AC(?!0{16})[0-9a-f]{32}(?![0-9a-f])")

WRITTEN_BY_OTHERS = ("dispatcher/web/console/vendor/", "dispatcher/web/console/static/vendor/")
NUMBERS = (".geojson", ".csv", ".lock", ".npz", ".svg", ".json")


def _texts(*without: str) -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        if path.startswith(WRITTEN_BY_OTHERS) or path.endswith((".npz", ".png", ".woff2", ".xlsx", *without)):
            continue
        found.append((path, (PROJECT / path).read_text(encoding="utf-8")))
    return found


def _lines(pattern: re.Pattern[str], *without: str) -> list[str]:
    return [
        f"{path}:{number}: {found[0]}"
        for path, text in _texts(*without)
        for number, line in enumerate(text.splitlines(), 1)
        for found in [pattern.search(line)]
        if found
    ]


def test_no_file_names_a_package_registry() -> None:
    assert _lines(REGISTRIES) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert _lines(MACHINES) == []


def test_no_file_holds_a_key() -> None:
    assert _lines(KEYS) == []


def test_no_number_in_the_house_can_ring_anybody() -> None:
    """Wording and tests that speak of masking may show one: they use the numbers set aside in the list below."""
    assert [line for line in _lines(RINGS, *NUMBERS) if not line.endswith(SHOWN) and not IMPORTED.search(line)] == []


SHOWN = ("13812345678", "13800138000", "13900000000", "13700000000", "15005550006", "15005550007")
"""Numbers of examples: a carrier's own service line, a provider's own test numbers, and what every manual shows."""
IMPORTED = re.compile(r"1380796\d{4}$")
"""What the import's tests offer to production, which takes none of the 154 range: nothing there is ever called."""


def test_every_text_ends_with_one_line_end_and_knows_no_carriage_return() -> None:
    bad = [
        path
        for path, text in _texts(*NUMBERS)
        if path.endswith((".py", ".md", ".yaml", ".yml", ".toml", ".sh"))
        and ("\r" in text or not text.endswith("\n") or text.endswith("\n\n"))
    ]
    assert bad == []
