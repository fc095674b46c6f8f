"""`make chaos`: the long run, its progress on standard error, its figures at the end; 0 only if no promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.crashes.chaos import Profile, report, run
from tests.crashes.facts import Fault
from tests.crashes.judge import Finding, judge
from tests.crashes.letters import CITY
from tests.crashes.stack import Programs
from tests.services import debian, postgres, rabbitmq

COUNTS = {
    Fault.KILL: 50,
    Fault.BROKER_KILL: 10,
    Fault.BROKER_FREEZE: 5,
    Fault.DATABASE_STOP: 10,
    Fault.STACK_KILL: 5,
    Fault.ZOMBIE: 5,
    Fault.LINE_RESET: 5,
}
WHOLE_CITY = 50_000
"""Rows from which on two warnings for the whole city lie below the others; for fewer, some counties."""
COUNTIES = ("360826000000", "360827000000", "360830000000")
SHOWN = 10


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description="混沌演练：边发送边破坏，只凭各方记录核对")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="故障与负载的种子；默认随机")
    parser.add_argument("--deliveries", type=int, default=100_000, help="至少发送多少行")
    parser.add_argument("--rate", type=int, default=140, help="短信每秒条数")
    parser.add_argument("--share", type=float, default=1.0, help="故障次数乘以这个数，至少各一次")
    parser.add_argument("--keep", type=Path, help="各方记录写在这个文件夹，不删除")
    parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")
    given = parser.parse_args(arguments)
    large = given.deliveries >= WHOLE_CITY
    profile = Profile(
        seed=given.seed,
        deliveries=given.deliveries,
        officers=3200,
        residents=13_000 if large else 2_000,
        ground=(CITY, CITY) if large else COUNTIES,
        rate=given.rate,
        counts={fault: max(1, round(number * given.share)) for fault, number in COUNTS.items()},
    )
    programs = _programs()
    if programs is None:
        print("没有 PostgreSQL 或 RabbitMQ 的程序可用：请先运行 make test", file=sys.stderr)
        return 2
    began = time.monotonic()
    _tell(f"种子 {profile.seed}，故障 {sum(profile.counts.values())} 次，至少 {profile.deliveries} 行")
    figures, findings = _run(profile, programs, given.keep)
    figures["minutes"] = round((time.monotonic() - began) / 60, 1)
    _show(figures, findings)
    if given.json:
        print(json.dumps(figures, ensure_ascii=False))
    return 1 if findings else 0


def _run(profile: Profile, programs: Programs, keep: Path | None) -> tuple[dict[str, object], list[Finding]]:
    with tempfile.TemporaryDirectory(prefix="mingluo-chaos-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        facts = asyncio.run(run(profile, programs, folder, _tell))
        findings = judge(facts)
        return report(profile, facts, findings), findings


def _programs() -> Programs | None:
    try:
        for found, packages in ((postgres.programs(), postgres.PACKAGES), (rabbitmq.programs(), rabbitmq.PACKAGES)):
            if found is None:
                debian.install(packages)
    except debian.CannotInstall as why:
        _tell(str(why))
    database, broker = postgres.programs(), rabbitmq.programs()
    return Programs(database=database, broker=broker) if database and broker else None


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _show(figures: dict[str, object], findings: list[Finding]) -> None:
    for name, value in figures.items():
        print(f"{name:<26} {value}", file=sys.stderr)
    for promise in dict.fromkeys(finding.promise for finding in findings):
        some = [finding.what for finding in findings if finding.promise == promise]
        print(f"✗ {promise}: {len(some)}", file=sys.stderr)
        for what in some[:SHOWN]:
            print(f"    {what}", file=sys.stderr)
    print("没有违背任何承诺" if not findings else "有承诺被违背，见上", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
