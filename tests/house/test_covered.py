"""Every module has a test: a file of its name, or a line in the table below that says what comes in through its door."""

from __future__ import annotations

import pytest

from tests.house.tree import PACKAGES, PROJECT, Module, modules

COVERED_BY = {
    # the steps: folders whose files are seen only through the folder's door
    "dispatcher.audience": "tests/dispatcher/test_audience.py",
    "dispatcher.broker": "tests/dispatcher/test_broker.py",
    "dispatcher.geofence": "tests/dispatcher/test_geofence.py",
    "dispatcher.intake": "tests/dispatcher/test_intake_decode.py",
    "dispatcher.intake.capinfo": "tests/dispatcher/test_intake_cap.py",
    "dispatcher.intake.geometry": "tests/dispatcher/test_intake_cap.py",
    "dispatcher.intake.narrowing": "tests/dispatcher/test_intake_native.py",
    "dispatcher.intake.rules": "tests/dispatcher/test_intake_corpus.py",
    "dispatcher.intake.times": "tests/dispatcher/test_intake_cap.py",
    "dispatcher.pipeline": "tests/dispatcher/test_accept.py",
    "dispatcher.pipeline.discard": "tests/dispatcher/test_approve.py",
    "dispatcher.pipeline.draft": "tests/dispatcher/test_approve.py",
    "dispatcher.pipeline.drafting": "tests/dispatcher/test_approve.py",
    "dispatcher.pipeline.edit": "tests/dispatcher/test_approve.py",
    "dispatcher.pipeline.explain": "tests/dispatcher/test_preview.py",
    "dispatcher.pipeline.erase": "tests/dispatcher/test_erasing.py",
    "dispatcher.pipeline.retain": "tests/dispatcher/test_retaining.py",
    "dispatcher.pipeline.follow": "tests/dispatcher/test_receipts.py",
    "dispatcher.pipeline.hear": "tests/dispatcher/test_aliyun_receipts.py",
    "dispatcher.pipeline.letting_go": "tests/dispatcher/test_approve.py",
    "dispatcher.pipeline.persons": "tests/dispatcher/test_approve.py",
    "dispatcher.pipeline.send_back": "tests/dispatcher/test_approve.py",
    "dispatcher.pipeline.settle": "tests/dispatcher/test_receipts.py",
    "dispatcher.linting": "tests/dispatcher/test_linting.py",
    "dispatcher.pipeline.lint": "tests/dispatcher/test_web_lint.py",
    "dispatcher.registry": "tests/dispatcher/test_registry.py",
    "dispatcher.registry.cells": "tests/dispatcher/test_registry_importing.py",
    "dispatcher.registry.files": "tests/dispatcher/test_registry_importing.py",
    "dispatcher.registry.joints": "tests/dispatcher/test_registry_importing.py",
    "dispatcher.registry.sample": "tests/dispatcher/test_sample.py",
    "channels.twilio_sdk": "tests/channels/test_twilio.py",
    "dispatcher.sending": "tests/dispatcher/test_sending_dispatch.py",
    # words and records without behaviour of their own
    "dispatcher.model": "tests/dispatcher/test_intake_canonical.py",
    "channels.contract": "tests/channels/conformance.py",
    # SQL: seen through whoever uses it, on both databases
    "dispatcher.store": "tests/dispatcher/test_sending_dispatch.py",
    "dispatcher.store.awaited": "tests/dispatcher/test_store_engine.py",
    "dispatcher.store.accounts": "tests/dispatcher/test_accounts_entering.py",
    "dispatcher.store.headlines": "tests/dispatcher/test_web_store.py",
    "dispatcher.store.drafts": "tests/dispatcher/test_approve.py",
    "dispatcher.store.events": "tests/dispatcher/test_outbox.py",
    "dispatcher.store.inbox": "tests/dispatcher/test_broker.py",
    "dispatcher.store.ledger": "tests/dispatcher/test_web_reading.py",
    "dispatcher.store.kin": "tests/dispatcher/test_merging.py",
    "dispatcher.store.nodes": "tests/crashes/test_kill_nine.py",
    "dispatcher.store.registry": "tests/dispatcher/test_registry.py",
    "dispatcher.store.rejects": "tests/dispatcher/test_accept.py",
    "dispatcher.store.pages": "tests/dispatcher/test_page.py",
    "dispatcher.store.code_texts": "tests/dispatcher/test_text_code.py",
    "dispatcher.store.signatures": "tests/dispatcher/test_signing.py",
    "dispatcher.store.tables": "tests/dispatcher/test_migrating.py",
    "dispatcher.store.uplinks": "tests/dispatcher/test_aliyun_receipts.py",
    "dispatcher.store.warnings": "tests/dispatcher/test_accept.py",
    # the doors
    "dispatcher.reporting": "tests/dispatcher/test_web_reading.py",
    "dispatcher.service": "tests/crashes/test_kill_nine.py",
    "dispatcher.settings.files": "tests/dispatcher/test_settings.py",
    "dispatcher.settings.lint": "tests/dispatcher/test_settings.py",
    "dispatcher.settings.sources": "tests/dispatcher/test_settings.py",
    "dispatcher.web": "tests/dispatcher/test_web_reading.py",
    "dispatcher.web.api.callbacks": "tests/dispatcher/test_web_callbacks.py",
    "dispatcher.accounts": "tests/dispatcher/test_accounts_entering.py",
    "dispatcher.web.api.streaming": "tests/dispatcher/test_web_live.py",
    "dispatcher.web.api.lifecycle": "tests/dispatcher/test_web_acting.py",
    "dispatcher.web.console.buttons": "tests/dispatcher/test_web_acting.py",
    "dispatcher.web.orders": "tests/dispatcher/test_web_acting.py",
    "dispatcher.web.asker": "tests/dispatcher/test_web_entrance.py",
    "dispatcher.web.console.keeping": "tests/dispatcher/test_web_entrance.py",
    "dispatcher.web.asking": "tests/dispatcher/test_web_intake.py",
    "dispatcher.web.route": "tests/dispatcher/test_web_openapi.py",
    "dispatcher.web.routes": "tests/dispatcher/test_web_openapi.py",
    # the command line
    "dispatcher.__main__": "tests/dispatcher/test_commands.py",
    "dispatcher.commands": "tests/dispatcher/test_commands.py",
    # the city on loopback
    "dispatcher.rehearsal": "tests/dispatcher/test_rehearsal.py",
    "dispatcher.rehearsal.__main__": "tests/dispatcher/test_rehearsal_server.py",
    "dispatcher.rehearsal.bench": "tests/dispatcher/test_bench.py",
    "dispatcher.rehearsal.drill": "tests/journeys/test_drill.py",
    "dispatcher.rehearsal.drill.letters": "tests/dispatcher/test_drill_scenario.py",
    "dispatcher.rehearsal.founding": "tests/journeys/test_training.py",
    "dispatcher.rehearsal.landing": "tests/journeys/test_demo.py",
    "dispatcher.commands.options": "tests/journeys/test_drill.py",
    "dispatcher.rehearsal.bench.paired": "tests/dispatcher/test_bench_goals.py",
}
"""A module or folder → what covers it; the nearest line counts."""
BARE = 12
"""An `__init__` that says in a docstring what is in its folder needs no test; the two packages' own are in test_map.py."""


def _own_names(module: Module) -> set[str]:
    """`dispatcher.intake.cap` → test_cap, test_intake_cap."""
    parts = module.name.split(".")[1:]
    return {f"test_{'_'.join(parts[first:])}.py" for first in range(len(parts))}


def _nearest(name: str) -> str:
    while name and name not in COVERED_BY:
        name = name.rpartition(".")[0]
    return COVERED_BY.get(name, "")


def test_every_module_has_a_test_of_its_name_or_a_line_in_the_table() -> None:
    files = {path.name for path in (PROJECT / "tests").rglob("test_*.py")}
    bare = {m.name for m in modules() if m.place.endswith("__init__.py") and m.lines <= BARE} | set(PACKAGES)
    naked = [m.place for m in modules() if m.name not in bare and not _own_names(m) & files and not _nearest(m.name)]
    assert naked == []


def test_the_table_names_modules_and_tests_that_exist() -> None:
    names = {m.name for m in modules()}
    assert [name for name in COVERED_BY if name not in names] == []
    assert [test for test in COVERED_BY.values() if not (PROJECT / test).exists()] == []


@pytest.mark.long
def test_a_test_file_of_a_modules_name_is_about_that_module() -> None:
    """A test that was left behind when its module went would look like cover."""
    ours = [m for m in modules("tests/dispatcher", "tests/channels") if m.name.split(".")[-1].startswith("test_")]
    assert [m.place for m in ours if "dispatcher" not in m.text and "channels" not in m.text] == []
