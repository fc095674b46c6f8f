"""The lock files: hashed, without any address, and the running set is part of the developing one."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import PROJECT, pyproject

RUN, DEV = "requirements.lock", "requirements-dev.lock"


def locked(name: str) -> dict[str, list[str]]:
    """Requirement (`name==version ; marker`) → its hashes."""
    text = (PROJECT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {line.split("--hash")[0].strip(): re.findall(r"--hash=sha256:([0-9a-f]{64})(?!\S)", line) for line in lines}


def pins(name: str) -> set[tuple[str, str]]:
    return {(found[1].lower(), found[2]) for found in (_pin(requirement) for requirement in locked(name))}


def _pin(requirement: str) -> re.Match[str]:
    found = re.match(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;]+)", requirement)
    assert found, f"not pinned to one version: {requirement}"
    return found


@pytest.mark.parametrize("name", [RUN, DEV])
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    assert locked(name)
    assert [requirement for requirement, hashes in locked(name).items() if not hashes] == []
    assert all(pins(name))


@pytest.mark.parametrize("name", [RUN, DEV])
def test_no_lock_names_an_address_or_an_index(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert [
        line for line in text.splitlines() if re.match(r"\s*(-i|-f|--(extra-)?index|--find-links|--trusted)", line)
    ] == []


def test_whoever_develops_runs_what_the_user_runs() -> None:
    assert pins(RUN) - pins(DEV) == set()


def test_every_dependency_of_the_project_is_locked() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[<>=!~ ;]", requirement)[0].lower() for requirement in requirements}

    running, all_of_it = ({name for name, _ in pins(lock)} for lock in (RUN, DEV))
    assert names(pyproject()["project"]["dependencies"]) - running == set()
    assert names(pyproject()["dependency-groups"]["dev"]) - all_of_it == set()
