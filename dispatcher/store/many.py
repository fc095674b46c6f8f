"""One statement over many rows: arrays unnested on PostgreSQL, the driver's own executemany on SQLite.

SQLAlchemy's executemany makes a dict of parameters a row and asyncpg a message a row: at ten thousand rows a second that
costs more than the sending. A `Many` is built once, from one description, and is given rows as tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Dialect,
    Executable,
    FromClause,
    String,
    bindparam,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY, asyncpg
from sqlalchemy.schema import Table
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from dispatcher.store.engine import Tx

Source = Callable[[str], ColumnElement[Any]]
"""The value of a name in a row."""

Build = Callable[[Source], Executable]
Take = Callable[[tuple[object, ...]], object]
Write = Callable[[Any], Any]
_SQLITE: Dialect = sqlite.dialect(paramstyle="qmark")


class Many:
    """`columns`: name → type, in the order of the tuples; `build` makes the statement out of the values' source.

    `always`: columns that are arrays even where all rows are alike. The key of a row has to be: a constant part of it looks
    to PostgreSQL, before it has counted a new warning, like one row, and it walks through all of them for each group.
    """

    def __init__(self, columns: Mapping[str, TypeEngine[Any]], build: Build, *, always: Sequence[str] = ()) -> None:
        self._columns = dict(columns)
        self._build = build
        self._always = frozenset(always)
        self._made: dict[tuple[str, ...], tuple[str, list[str], dict[str, object]]] = {}

    async def run(self, tx: Tx, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        if tx.dialect.name == "postgresql":
            await tx.exec_driver_sql(*self.unnested(rows))
            return
        await tx.exec_driver_sql(*self.positional(rows))

    def unnested(self, rows: Sequence[tuple[object, ...]]) -> tuple[str, tuple[object, ...]]:
        """PostgreSQL's SQL for these rows, and its values."""
        columns = dict(zip(self._columns, zip(*rows, strict=True), strict=True))
        varied = varied_in(columns, self._always)
        sql, names, constants = self._compiled(varied)
        given = {name: columns[name] if name in varied else columns[name][0] for name in columns}
        return sql, tuple([given[one] if one in given else constants[one] for one in names])

    def positional(self, rows: Sequence[tuple[object, ...]]) -> tuple[str, list[tuple[object, ...]]]:
        """SQLite's SQL, and for each row the values of its question marks."""
        sql, places = self._positional
        return sql, [tuple([take(row) for take in places]) for row in rows]

    def _compiled(self, varied: tuple[str, ...]) -> tuple[str, list[str], dict[str, object]]:
        """The SQL with numbers for its values, their names in that order, and those that stand in the statement."""
        if varied not in self._made:
            statement = self._make_unnested(sources(self._columns, varied))
            assert isinstance(statement, ClauseElement)
            compiled = statement.compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]
            assert isinstance(compiled, SQLCompiler)
            self._made[varied] = str(compiled), list(compiled.positiontup or ()), compiled.params
        return self._made[varied]

    def _make_unnested(self, sources: Mapping[str, ColumnElement[Any]]) -> Executable:
        return self._build(sources.__getitem__)

    @cached_property
    def _positional(self) -> tuple[str, list[Take]]:
        """The SQL with question marks, and for each of them how its value is had of a row."""
        statement = self._build(lambda name: bindparam(name, type_=self._columns[name]))
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=_SQLITE)
        assert isinstance(compiled, SQLCompiler)
        return str(compiled), [self._take(name, compiled.params) for name in compiled.positiontup or ()]

    def _take(self, name: str, constants: Mapping[str, object]) -> Take:
        if name not in self._columns:
            constant = constants[name]
            return lambda _row: constant
        place = list(self._columns).index(name)
        write = self._columns[name].dialect_impl(_SQLITE).bind_processor(_SQLITE)
        if write is None:
            return itemgetter(place)
        return lambda row: write(row[place])


class Inserted(Many):
    """Rows of a table; `ignoring`: those whose key is there already are passed over."""

    def __init__(self, table: Table, names: Sequence[str], *, ignoring: bool = False) -> None:
        super().__init__({name: table.c[name].type for name in names}, self._make)
        self._table = table
        self._ignoring = ignoring

    async def fill(self, tx: Tx, alike: Mapping[str, object], columns: Mapping[str, Sequence[Any]]) -> None:
        """By columns, for thousands of rows: no tuple is made of each, only to be taken apart again.

        `alike`: what is the same in every row. What of `columns` is, is found out.
        """
        if not all(columns.values()):
            return
        if tx.dialect.name == "postgresql":
            varied = varied_in({name: columns[name] for name in self._columns if name in columns})
            sql, names, _ = self._compiled(varied)
            given = {**alike, **{name: column if name in varied else column[0] for name, column in columns.items()}}
            await tx.exec_driver_sql(sql, tuple([given[name] for name in names]))
            return
        sql, writers = self._by_column
        values = [
            _written(columns[name], write) if name in columns else repeat(_one(alike[name], write))
            for name, write in writers
        ]
        rows = zip(*values, strict=False)  # what is repeated has no end
        await tx.exec_driver_sql(sql, list(rows))

    @cached_property
    def _by_column(self) -> tuple[str, list[tuple[str, Write | None]]]:
        """SQLite's SQL, and in the order of its question marks the columns, each with what makes a value SQLite's."""
        sql, _ = self._positional
        kinds = [(name, kind.dialect_impl(_SQLITE)) for name, kind in self._columns.items()]
        return sql, [(name, kind.bind_processor(_SQLITE)) for name, kind in kinds]

    def _make(self, source: Source) -> Executable:
        values = {name: source(name) for name in self._columns}
        statement = insert(self._table).values(values)
        return sqlite.insert(self._table).values(values).on_conflict_do_nothing() if self._ignoring else statement

    def _make_unnested(self, sources: Mapping[str, ColumnElement[Any]]) -> Executable:
        statement = postgresql.insert(self._table).from_select(list(sources), select(*sources.values()))
        return statement.on_conflict_do_nothing() if self._ignoring else statement


def _written(column: Sequence[Any], write: Write | None) -> Iterable[Any]:
    return column if write is None else map(write, column)


def _one(value: object, write: Write | None) -> object:
    return value if write is None else write(value)


def varied_in(columns: Mapping[str, Sequence[Any]], always: Collection[str] = frozenset()) -> tuple[str, ...]:
    """What is the same in every row is given once: an array costs its elements, here and at the server."""
    return tuple([name for name, column in columns.items() if name in always or column.count(column[0]) < len(column)])


def sources(
    columns: Mapping[str, TypeEngine[Any]], varied: tuple[str, ...], name: str = "given"
) -> dict[str, ColumnElement[Any]]:
    """The value of each column in a row: out of its array, or the one that all rows share. Bound by the column's name."""
    every: dict[str, ColumnElement[Any]] = {
        one: bindparam(one, type_=_boundless(kind)) for one, kind in columns.items() if one not in varied
    }
    if not varied:
        return every
    rows = unnested({one: columns[one] for one in varied}, name).c
    return {one: rows[one] if one in varied else every[one] for one in columns}


def unnested(columns: Mapping[str, TypeEngine[Any]], called: str = "given") -> FromClause:
    """Rows made of arrays, one a column, bound by the column's name."""
    arrays = [bindparam(name, type_=ARRAY(_boundless(kind))) for name, kind in columns.items()]
    names = [column(name, kind) for name, kind in columns.items()]
    return func.unnest(*arrays).table_valued(*names).render_derived(name=called)


def _boundless(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """A cast to VARCHAR(32) would cut a longer text without a word, where the column refuses it."""
    return String() if isinstance(kind, String) else kind
