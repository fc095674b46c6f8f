"""Transactions begin in few places, nobody waits for the outside world inside one, and one file a noun writes its state."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.tree import Module, dotted, modules

BEGINS = {
    "dispatcher.pipeline": "a verb is one transaction",
    "dispatcher.accounts": "accounts made and changed, somebody coming in",
    "dispatcher.sending.writer": "the one writer of results and marks",
    "dispatcher.store.deliveries.receipts": "receipts are committed in groups",
    "dispatcher.outbox": "a relayed event is ticked off",
    "dispatcher.broker.embedded": "its inbox and rejected are tables",
    "dispatcher.registry.exporting": "that phones leave the house is put down first",
    "dispatcher.registry.importing": "a register is replaced whole",
    "dispatcher.registry.unmasking": "who looked at a number is put down before it is shown",
    "dispatcher.service": "start: the node's epoch, the key's proof",
    "dispatcher.store.migrating": "a migration is one transaction",
    "dispatcher.store.deliveries.commit": "a group commit: one statement on PostgreSQL, a transaction on SQLite",
    "dispatcher.rehearsal.bench.ledgers": "the store's own speed, on a database of the benchmark's",
}
OUTSIDE = {"send", "ask", "publish", "post", "get_json", "request", "relay", "canary", "sleep", "consume"}
"""Methods that wait for a provider, the broker or the clock."""

STATES = {
    "deliveries": "dispatcher.store.deliveries",
    "warnings": "dispatcher.store.warnings",
    "chunks": "dispatcher.store.chunks",
    "gateways": "dispatcher.store.registry",
}
"""Who writes a state column: the table's own file, with the guard in its WHERE."""


def _opened(module: Module) -> Iterator[ast.expr]:
    """Whatever begins a transaction, also one that runs whole in a thread."""
    every = ("store.begin", "store.at_once", "store.in_one_go", "store.whole")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and dotted(node.func).endswith(every):
            yield node


def _begun(module: Module) -> Iterator[ast.AsyncWith]:
    """`async with ….begin()` blocks on a store (not the engine's own, inside the store)."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncWith):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and dotted(call.func).endswith(("store.begin", "store.at_once")):
                    yield node


def test_transactions_begin_only_where_the_list_says() -> None:
    begun = [(m, call) for m in modules() for call in _opened(m)]
    assert begun, "no transaction was found: the check looks in the wrong place"
    assert [m.at(call) for m, call in begun if not m.name.startswith(tuple(BEGINS))] == []


def test_whoever_stands_in_the_list_still_begins_one() -> None:
    begin = {m.name for m in modules() if any(True for _ in _opened(m))}
    assert [name for name in BEGINS if not any(module.startswith(name) for module in begin)] == []


def test_no_provider_and_no_broker_is_awaited_inside_a_transaction() -> None:
    awaited = [
        (m, node)
        for m in modules()
        for block in _begun(m)
        for node in ast.walk(block)
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
        if dotted(node.value.func).split(".")[-1] in OUTSIDE
    ]
    assert [m.at(node) for m, node in awaited] == []


def _writes(module: Module) -> Iterator[tuple[ast.expr, str]]:
    """`update(table)….values(state=…)` and `insert(table)….values(state=…)`: where, and the table."""
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values"):
            continue
        if not any(keyword.arg == "state" for keyword in node.keywords):
            continue
        inner: ast.expr = node.func.value
        while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            inner = inner.func.value
        if isinstance(inner, ast.Call) and inner.args and dotted(inner.func) in ("update", "insert", "upsert"):
            yield node, dotted(inner.args[-1])
        else:
            yield node, dotted(inner)


def test_a_state_is_written_in_its_own_file_alone() -> None:
    written = [(m, node, table) for m in modules() for node, table in _writes(m)]
    assert any(table == "deliveries" for _, _, table in written), "the check looks in the wrong place"
    astray = [
        f"{m.at(node)} {table}"
        for m, node, table in written
        if not m.name.startswith(STATES.get(table, "dispatcher.store.deliveries" if table == "_SETTLE" else "?"))
    ]
    assert astray == []


COMPARED = ("dispatcher.rehearsal.bench.bare_ledger", "dispatcher.rehearsal.bench.baseline")
"""What the store and the service are measured against, on databases of the benchmark's own."""


def test_no_sql_is_written_as_text_outside_the_store() -> None:
    """Somebody who assembles SQL by hand goes past every guard there is."""
    verbs = ("SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM")
    outside = [m for m in modules() if not m.name.startswith(("dispatcher.store", *COMPARED))]
    texts = [(m, node) for m in outside for node in ast.walk(m.tree) if isinstance(node, ast.Constant)]
    assert [m.at(node) for m, node in texts if str(node.value).lstrip().startswith(verbs)] == []
