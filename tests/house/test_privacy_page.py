"""The impact assessment says what the configuration and the schema do: whoever signs it signs what is true."""

from __future__ import annotations

import re

from dispatcher.settings import load
from dispatcher.store.retaining import Kind
from dispatcher.store.tables import metadata
from tests.house.tree import PROJECT

PAGE = (PROJECT / "docs" / "privacy.md").read_text(encoding="utf-8")


def test_the_days_on_the_page_are_those_of_the_configuration() -> None:
    told = {name: int(days) for name, days in re.findall(r"\| `(\w+_days)` \| (\d+) \|", PAGE)}
    assert told == load({}).policy.retention.model_dump()
    assert set(told) == {f"{kind}_days" for kind in Kind}


def test_every_table_and_column_that_the_page_names_exists() -> None:
    table = {table.name for table in metadata.sorted_tables}
    known = table | {column.name for one in metadata.sorted_tables for column in one.columns}
    known |= {f"{one.name}.{column.name}" for one in metadata.sorted_tables for column in one.columns}
    section = PAGE.partition("## 二")[2].partition("## 四")[0]
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", section)) - {
        "retention",
        "warnings.rejected",
    }  # the last is a queue
    assert {one for one in named if not one.endswith("_days")} - known == set()


def test_every_column_that_seals_something_of_a_person_is_told() -> None:
    for sealed in ("phone", "position", "uplinks", "trace"):
        assert f"`{sealed}`" in PAGE


def test_the_articles_it_rests_on_are_named_and_the_readme_leads_here() -> None:
    for article in ("13", "28", "51", "55", "57"):
        assert re.search(rf"第 (?:\d+、)*{article}(?:、\d+)* 条", PAGE)
    assert "(docs/privacy.md)" in (PROJECT / "README.md").read_text(encoding="utf-8")
