"""One statement over many rows: arrays unnested on PostgreSQL, a list of VALUES on SQLite.

SQLAlchemy's executemany makes a dict of parameters a row and asyncpg a message a row: at ten thousand rows a second that
costs more than the sending. SQLite's own gives the interpreter away and asks for it back at every row, and beside a busy
event loop each time is half a millisecond: 200 rows took 40 ms, in one statement 3. (As one JSON text they cost twice: it is
written beside the sending, and read again.) A `Many` is built once, from one description, and is given rows as tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Dialect,
    Executable,
    FromClause,
    Integer,
    String,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    true,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY, asyncpg
from sqlalchemy.schema import Table
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from dispatcher.store.engine import Tx
from dispatcher.store.tables import Instant

Source = Callable[[str], ColumnElement[Any]]
"""The value of a name in a row."""

Build = Callable[[Source], Executable]


Columns = Mapping[str, Sequence[Any]]

Statement = tuple[str, tuple[object, ...]]
"""SQL for the driver, and its values in their order."""

MOST_ROWS: Final = 1000
"""In one statement of SQLite's, which takes some thirty thousand values."""
STEP: Final = 32


class Many:
    """`columns`: name → type, in the order of the tuples; `build` makes the statement out of the values' source.

    `always`: columns given row by row even where all rows are alike. Told a constant part of a key first, a database walks
    through all it finds by that, once for each row: SQLite always, PostgreSQL before it has counted a new warning.
    `again`: a row written twice does no harm; then SQLite's lists are filled up with their last, so that they are of few
    lengths and their statements are found ready.
    """

    def __init__(
        self,
        columns: Mapping[str, TypeEngine[Any]],
        build: Build,
        *,
        always: Sequence[str] = (),
        always_on_sqlite: Sequence[str] = (),
        again: bool = False,
    ) -> None:
        self._columns = dict(columns)
        self._build = build
        self._again = again
        self._always = frozenset(always)
        self._always_on_sqlite = frozenset(always) | frozenset(always_on_sqlite)
        self._made: dict[tuple[str, ...], _Made] = {}
        self._made_on_sqlite: dict[tuple[str, ...], _Made] = {}

    async def run(self, tx: Tx, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            await self.fill(tx, {}, self._transposed(rows))

    async def fill(self, tx: Tx, alike: Mapping[str, object], columns: Columns) -> None:
        """By columns, for thousands of rows: no tuple is made of each, only to be taken apart again.

        `alike`: what is the same in every row. What of `columns` is, is found out.
        """
        for sql, given in self.filled(tx.dialect.name, alike, columns):
            await tx.exec_driver_sql(sql, given)

    def filled(self, dialect: str, alike: Mapping[str, object], columns: Columns) -> list[Statement]:
        """As `fill`, made ready before the transaction begins."""
        if not all(columns.values()):
            return []
        return [self._unnested(alike, columns)] if dialect == "postgresql" else self._listed(alike, columns)

    def unnested(self, rows: Sequence[tuple[object, ...]]) -> Statement:
        """For these rows on PostgreSQL."""
        return self._unnested({}, self._transposed(rows))

    def listed(self, rows: Sequence[tuple[object, ...]]) -> list[Statement]:
        """For these rows on SQLite."""
        return self._listed({}, self._transposed(rows))

    def _transposed(self, rows: Sequence[tuple[object, ...]]) -> Columns:
        return dict(zip(self._columns, zip(*rows, strict=True), strict=True))

    def _unnested(self, alike: Mapping[str, object], columns: Columns) -> Statement:
        varied = self._varied(columns, self._always)
        if varied not in self._made:
            self._made[varied] = _compiled(self._make_unnested(sources(self._columns, varied)), asyncpg.dialect())  # type: ignore[no-untyped-call]
        arrays = {
            name: as_array(self._columns[name], column) if name in varied else column[0]
            for name, column in columns.items()
        }
        return self._made[varied].filled({**alike, **arrays})

    def _listed(self, alike: Mapping[str, object], columns: Columns) -> list[Statement]:
        varied = self._varied(columns, self._always_on_sqlite) or tuple(columns)[:1]
        if varied not in self._made_on_sqlite:
            self._made_on_sqlite[varied] = _compiled(self._make_listed(_listed(self._columns, varied)), _SQLITE)
        same = {**alike, **{name: column[0] for name, column in columns.items() if name not in varied}}
        given = {name: self._written(name, (value,))[0] for name, value in same.items()}
        rows = list(zip(*[self._written(name, columns[name]) for name in varied], strict=True))
        if self._again:
            rows += [rows[-1]] * (-len(rows) % STEP)
        made = self._made_on_sqlite[varied]
        return [made.repeated(given, rows[at : at + MOST_ROWS]) for at in range(0, len(rows), MOST_ROWS)]

    def _varied(self, columns: Columns, always: Collection[str]) -> tuple[str, ...]:
        """In one order, whatever theirs."""
        varied = varied_in(columns, always)
        return tuple([name for name in self._columns if name in varied])

    def _written(self, name: str, column: Sequence[Any]) -> Sequence[Any]:
        """As SQLite keeps them: moments as text."""
        if isinstance(self._columns[name], Instant):
            return [Instant.in_sqlite(one) for one in column]
        write = self._columns[name].dialect_impl(_SQLITE).bind_processor(_SQLITE)
        return column if write is None else [write(one) for one in column]

    def _make_unnested(self, sources: Mapping[str, ColumnElement[Any]]) -> Executable:
        return self._build(sources.__getitem__)

    def _make_listed(self, sources: Mapping[str, ColumnElement[Any]]) -> Executable:
        return self._build(sources.__getitem__)


class Inserted(Many):
    """Rows of a table; `ignoring`: those whose key is there already are passed over."""

    def __init__(self, table: Table, names: Sequence[str], *, ignoring: bool = False) -> None:
        super().__init__({name: table.c[name].type for name in names}, lambda _: insert(table), again=ignoring)
        self._table = table
        self._ignoring = ignoring

    def _make_unnested(self, sources: Mapping[str, ColumnElement[Any]]) -> Executable:
        statement = postgresql.insert(self._table).from_select(list(sources), select(*sources.values()))
        return statement.on_conflict_do_nothing() if self._ignoring else statement

    def _make_listed(self, sources: Mapping[str, ColumnElement[Any]]) -> Executable:
        # without a WHERE, SQLite takes the ON of ON CONFLICT for a join's
        statement = sqlite.insert(self._table).from_select(list(sources), select(*sources.values()).where(true()))
        return statement.on_conflict_do_nothing() if self._ignoring else statement


@dataclass(frozen=True, slots=True)
class _Made:
    """SQL, the names of its values in their order, and those values that stand in the statement."""

    sql: str
    names: Sequence[str]
    constants: Mapping[str, object]

    def filled(self, given: Mapping[str, object]) -> Statement:
        return self.sql, tuple(self._values(self.names, given))

    def repeated(self, given: Mapping[str, object], rows: Sequence[tuple[object, ...]]) -> Statement:
        """The one row that stands in it (`_listed`), as often as there are rows."""
        row = f"({', '.join('?' * len(rows[0]))})"
        before, after = self.sql.split(f"VALUES {row}")
        place = before.count("?")
        values = [
            *self._values(self.names[:place], given),
            *chain.from_iterable(rows),
            *self._values(self.names[place + len(rows[0]) :], given),
        ]
        return f"{before}VALUES {', '.join([row] * len(rows))}{after}", tuple(values)

    def _values(self, names: Sequence[str], given: Mapping[str, object]) -> list[object]:
        return [given[one] if one in given else self.constants[one] for one in names]


def _compiled(statement: Executable, dialect: Dialect) -> _Made:
    assert isinstance(statement, ClauseElement)
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    return _Made(str(compiled), list(compiled.positiontup or ()), compiled.params)


_SQLITE: Dialect = sqlite.dialect(paramstyle="qmark")


def _listed(columns: Mapping[str, TypeEngine[Any]], varied: tuple[str, ...]) -> dict[str, ColumnElement[Any]]:
    """The value of each column in a row: out of the list, or the one that all rows share."""
    one_row = values(*[column(name, columns[name]) for name in varied], name="given")
    rows = one_row.data([tuple([bindparam(name, type_=columns[name]) for name in varied])]).cte("given").c
    return {name: rows[name] if name in varied else bindparam(name, type_=kind) for name, kind in columns.items()}


def varied_in(columns: Columns, always: Collection[str] = frozenset()) -> tuple[str, ...]:
    """What is the same in every row is given once: an array costs its elements, here and at the server."""
    varied = [name for name, column in columns.items() if name in always or column.count(column[0]) < len(column)]
    if not varied and any(len(column) > 1 for column in columns.values()):
        return tuple(columns)[:1]  # rows that are alike in everything are as many as they are
    return tuple(varied)


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
    """Rows made of arrays, one a column, bound by the column's name: each as `as_array` makes it."""
    arrays = [_array(name, ARRAY(_boundless(kind))) for name, kind in columns.items()]
    names = [column(name, kind) for name, kind in columns.items()]
    return func.unnest(*arrays).table_valued(*names).render_derived(name=called)


def as_array(kind: TypeEngine[Any], column: Sequence[Any]) -> object:
    """What the driver is given for a column: words and whole numbers as PostgreSQL writes an array out, any other as it is.
    asyncpg looks at each element three times before it writes it, and took a sixth of the whole sending for that."""
    match kind:
        case String():
            return f"{{{_words(column)}}}"
        case Integer():
            return f"{{{_numbers(column)}}}"
        case _:
            return column


def _words(column: Sequence[Any]) -> str:
    """Each in quotes, where whatever is no quote and no backslash stands for itself."""
    try:
        written = '","'.join(column)
    except TypeError:  # None stands among them
        return ",".join(["NULL" if one is None else _quoted(one) for one in column])
    if "\\" in written or written.count('"') > 2 * (len(column) - 1):
        return ",".join(map(_quoted, column))
    return f'"{written}"'


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _numbers(column: Sequence[Any]) -> str:
    try:
        return ",".join(map(int.__repr__, column))  # an enum's own would be its name
    except TypeError:  # None stands among them
        return ",".join(["NULL" if one is None else int.__repr__(one) for one in column])


def _array(name: str, kind: ARRAY[Any]) -> ColumnElement[Any]:
    if isinstance(kind.item_type, (String, Integer)):
        return cast(bindparam(name, type_=Text()), kind)
    return bindparam(name, type_=kind)


def _boundless(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """A cast to VARCHAR(32) would cut a longer text without a word, where the column refuses it."""
    return String() if isinstance(kind, String) else kind
