"""What the benchmark shows: what is being measured just now, then a table of the goals. Chinese, on any terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from dispatcher.rehearsal.bench.goals import TITLES, Check, Measured, rounded
from dispatcher.rehearsal.demo_screen import Screen, Tell

VERDICTS = {True: "达到", False: "未达到", None: "没有量"}


class BenchScreen:
    """One stream, written to in order."""

    def __init__(self, stream: TextIO, *, live: bool | None = None) -> None:
        self._screen = Screen(stream, live=live)
        self._tell: Tell | None = None

    def begin(self, machine: Mapping[str, Any], missing: str) -> None:
        self._screen.title("鸣锣性能基准：同一次运行里交替测量的比值（只在本机 127.0.0.1）")
        self._screen.line(
            f"  {machine['at']}　{machine['cores']} 核 {machine['processor']}　{machine['memory_mib']:,} MiB　"
            f"{machine['system']}　Python {machine['python']}　开始前负载 {machine['load_before'][0]}"
        )
        database = machine["postgresql"]
        if database:
            self._screen.line(
                f"  PostgreSQL {database['server_version']}：fsync {database['fsync']}，"
                f"synchronous_commit {database['synchronous_commit']}"
            )
            if database["fsync"] != "on":
                self._screen.line("  这个 PostgreSQL 不落盘（fsync 关闭）：落库的代价被低估", style="bold yellow")
        if missing:
            self._screen.line(
                f"  {missing}：需要它的目标只量内置的一半，或标为“没有量”（make bench 会先找到或启动它们）",
                style="bold yellow",
            )

    def tell(self, what: str, done: int, total: int) -> None:
        if self._tell is not None:
            self._tell(what, done, total)

    @contextmanager
    def goal(self, name: str, title: str) -> Iterator[None]:
        if not self._screen.live:
            self._screen.line(f"  {name} 正在量：{title}")
        with self._screen.working(f"{name} {title}") as tell:
            self._tell = tell if self._screen.live else None
            yield
            self._tell = None

    def found(self, measured: Measured) -> None:
        """Every figure at once, so that a long run can be watched."""
        for check in measured.checks:
            self._screen.line(f"     {VERDICTS[check.met]}　{check.name}：{_figure(check)}（{_bound(check)}）")
        for why in measured.missing:
            self._screen.line(f"     {why}", style="yellow")

    def table(self, found: Sequence[Measured]) -> None:
        """Numbers first: the last column may be as long as it likes."""
        self._screen.line()
        self._screen.table(("目标", "结果", "量得", "目标值"), [_row(one) for one in found])
        for one in found:
            self._screen.line(f"  {one.goal:<4}{TITLES[one.goal]}" + (f"；最差：{one.worst.name}" if one.worst else ""))
        unmade = [f"{one.goal}：{why}" for one in found for why in one.missing]
        if unmade:
            self._screen.line("在这台机器上没有量到的：", style="bold yellow")
        for line in unmade:
            self._screen.line(f"  {line}")

    def kept(self, table: str, plot: str) -> None:
        self._screen.line(f"表：{table}" + (f"　每条成本与规模的图：{plot}" if plot else ""))


def _row(measured: Measured) -> tuple[str, ...]:
    worst = measured.worst
    if worst is None:
        return measured.goal, VERDICTS[None], "—", "—"
    return measured.goal, VERDICTS[measured.met], _figure(worst), _bound(worst)


def _figure(check: Check) -> str:
    if check.value is None:
        return "—"
    return f"{_short(check.value)}{' ' + check.unit if check.unit else ''}"


def _bound(check: Check) -> str:
    return f"{'≥' if check.at_least else '≤'} {_short(check.bound)}"


def _short(value: float) -> str:
    digits = rounded(value) or 0.0
    return f"{digits:,.0f}" if abs(digits) >= 1000 else f"{digits:g}"
