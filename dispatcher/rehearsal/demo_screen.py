"""What the demo shows: bars and colours on a terminal, plain lines anywhere else (a pipe, a log, a test).

It must never fail because of what it shows: a character the terminal cannot write becomes a question mark.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TextIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from dispatcher.model import Channel
from dispatcher.reporting import Cell

Tell = Callable[[str, int, int], None]
"""What, done, of how many."""
Show = Callable[[Mapping[str, Cell]], None]
"""Counts by channel, as they stand now."""

TABLE_CHINESE: Final = {
    "areas": "行政区划",
    "officers": "信息员",
    "posts": "岗位",
    "offices": "应急办",
    "subscriptions": "订阅",
    "gateways": "播发网关",
    "terminals": "终端",
    "endpoints": "党建平台",
    "branches": "党支部",
    "residents": "住户",
}
PLAIN_EVERY_S: Final = 1.0
PLAIN_WIDTH: Final = 120


class Screen:
    """One stream, written to in order. `live`: bars and colours."""

    def __init__(self, stream: TextIO, *, live: bool | None = None) -> None:
        self.live = stream.isatty() if live is None else live
        self.console = Console(
            file=stream,
            force_terminal=self.live,
            no_color=not self.live,
            width=None if self.live else PLAIN_WIDTH,
            highlight=False,
            emoji=False,
            soft_wrap=True,
        )

    def title(self, text: str) -> None:
        self.console.print()
        self.console.print(f"[bold red]■[/] [bold]{escape(text)}[/]" if self.live else f"■ {escape(text)}")

    def line(self, text: str = "", *, style: str = "") -> None:
        self.console.print(escape(text), style=style or None)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The first column reads from the left, the others are numbers."""
        shown = Table(box=box.SIMPLE if self.live else None, pad_edge=False, padding=(0, 2, 0, 0))
        for number, header in enumerate(headers):
            shown.add_column(header, justify="right" if number else "left", no_wrap=True)
        for row in rows:
            shown.add_row(*map(escape, row))
        self.console.print(shown)

    @contextmanager
    def working(self, what: str) -> Iterator[Tell]:
        """A step with parts; a line for the whole step where there is no terminal."""
        began = time.monotonic()
        if not self.live:
            counted: dict[str, int] = {}
            yield lambda part, done, _total: counted.__setitem__(part, done)
            told = "，".join(f"{TABLE_CHINESE.get(part, part)} {done:,}" for part, done in counted.items() if done)
            self.line(f"  {what}：{told + '，' if told else ''}{time.monotonic() - began:.1f} 秒")
            return
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}")
        with Progress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(what, total=None, told="")

            def tell(part: str, done: int, total: int) -> None:
                described = f"{what}：{TABLE_CHINESE.get(part, part)}"
                bars.update(
                    task, description=described, completed=done, total=total or None, told=f"{done:,} / {total:,}"
                )

            yield tell
        self.line(f"  ✓ {what}（{time.monotonic() - began:.1f} 秒）")

    @contextmanager
    def landing(self) -> Iterator[Show]:
        """A warning that lands: call what it yields with the counts by channel, as often as you like."""
        if not self.live:
            yield _PlainLanding(self)
            return
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=40),
            TextColumn("送达 {task.completed:,.0f} / {task.total:,.0f}"),
            TextColumn("已发 {task.fields[sent]:,}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as bars:
            tasks: dict[str, TaskID] = {}

            def show(cells: Mapping[str, Cell]) -> None:
                for channel, cell in cells.items():
                    if channel not in tasks:
                        name = Channel(channel).chinese.ljust(4, "　")
                        tasks[channel] = bars.add_task(name, total=cell.planned, sent=0)
                    done = cell.planned - cell.open
                    bars.update(tasks[channel], total=cell.planned, completed=done, sent=cell.sent)

            yield show


class _PlainLanding:
    """A line a second while something moves, and the last one always."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._began = time.monotonic()
        self._told_at = 0.0
        self._told = ""

    def __call__(self, cells: Mapping[str, Cell]) -> None:
        now = time.monotonic()
        over = bool(cells) and not any(cell.open for cell in cells.values())
        if now - self._told_at < PLAIN_EVERY_S and not over:
            return
        told = "；".join(
            f"{Channel(channel).chinese} 已发 {cell.sent:,} 送达 {cell.delivered:,} / {cell.planned:,}"
            for channel, cell in sorted(cells.items())
        )
        if told and told != self._told:
            self._told, self._told_at = told, now
            self._screen.line(f"  {now - self._began:5.1f} 秒  {told}")
