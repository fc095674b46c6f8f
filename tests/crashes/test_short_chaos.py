"""One of every fault during one small fan-out, in a service of our own: `make chaos` in a minute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crashes.chaos import Profile, report, run
from tests.crashes.facts import Fault
from tests.crashes.judge import judge
from tests.crashes.sabotage import SABOTAGES
from tests.crashes.stack import Programs
from tests.crashes.test_judge import broken_by
from tests.services import postgres, rabbitmq
from tests.services.settling import own_programs

COUNTS = {
    Fault.KILL: 2,
    Fault.BROKER_KILL: 1,
    Fault.DATABASE_STOP: 1,
    Fault.STACK_KILL: 1,
    Fault.ZOMBIE: 1,
    Fault.LINE_RESET: 1,
}


@pytest.mark.timeout(360)
async def test_whatever_dies_nothing_is_lost_and_every_duplicate_is_flagged(
    tmp_path: Path, measured: Callable[[str], None]
) -> None:
    programs = Programs(
        database=own_programs("PostgreSQL", postgres.programs), broker=own_programs("RabbitMQ", rabbitmq.programs)
    )
    profile = Profile(
        seed=3608,
        deliveries=1500,
        officers=700,
        residents=1000,
        rate=100,
        ground=("360826000000",),
        counts=COUNTS,
        patience=3.0,
    )
    facts = await run(profile, programs, tmp_path, lambda _: None)
    findings = judge(facts)
    for name, value in report(profile, facts, findings).items():
        measured(f"{name}: {value}")
    assert findings == []
    assert facts.by_fault() == COUNTS
    blind = [name for name, sabotage in SABOTAGES.items() if sabotage.breaks not in broken_by(sabotage, facts)]
    assert blind == [], "what was really recorded can be falsified unseen"
