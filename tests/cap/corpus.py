"""Where the corpus of CAP alerts lies: real and derived ones beside the project, the city's own profile here."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import yaml

from dispatcher.settings import PROJECT, Hazards

OURS = PROJECT / "tests" / "cap"
CORPUS = PROJECT / os.environ.get("MINGLUO_CAP_CORPUS", "../shared/cap")
REQUIRED = os.environ.get("MINGLUO_REQUIRE_CORPUS") == "1"
HAZARDS = Hazards.model_validate(yaml.safe_load((PROJECT / "config" / "hazards.yaml").read_text(encoding="utf-8")))


def corpus() -> list[Any]:
    """Every file with the verdict it must get."""
    manifest = CORPUS / "manifest.json"
    if not manifest.is_file():
        return []
    return [pytest.param(row, id=row["file"]) for row in json.loads(manifest.read_text(encoding="utf-8"))]


def expectations() -> list[Any]:
    """Every readable file with what stands in it."""
    expected = CORPUS / "expected-parse.json"
    if not expected.is_file():
        return []
    return [pytest.param(*row, id=row[0]) for row in json.loads(expected.read_text(encoding="utf-8")).items()]


def our_alerts() -> list[Any]:
    expected = json.loads((OURS / "expected.json").read_text(encoding="utf-8"))
    return [pytest.param(row, id=row["file"]) for row in expected["alerts"]]


def valid_files() -> list[Any]:
    """The valid ones of the corpus, and the city's profile."""
    found = [*sorted((CORPUS / "valid").glob("*")), *sorted(OURS.glob("cn_*.xml"))]
    return [pytest.param(file, id=file.name) for file in found]
