"""The top level holds what the user named, and what every project has beside it; nothing creeps in."""

from __future__ import annotations

from tests.house.tree import tracked

THE_USERS = {"dispatcher", "channels", "config", "migrations", "tests", "docker-compose.yml", "pyproject.toml"}
BESIDE_IT = {
    "Makefile", "Dockerfile", ".dockerignore", ".ci", ".gitignore",
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "NOTICE",
    "requirements.lock", "requirements-dev.lock", "docs",
}  # fmt: skip


def test_nothing_stands_at_the_top_that_was_not_agreed() -> None:
    assert {path.split("/")[0] for path in tracked()} - THE_USERS - BESIDE_IT == set()


def test_everything_the_user_named_is_there() -> None:
    assert {path.split("/")[0] for path in tracked()} >= THE_USERS


def test_no_file_holds_a_working_state() -> None:
    endings = (".pyc", ".db", ".db-wal", ".sqlite", ".dump", ".log", ".pem", ".key", ".orig", ".rej")
    assert [path for path in tracked() if path.endswith(endings) or path.startswith(("var/", ".venv/"))] == []
