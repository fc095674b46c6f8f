"""The benchmark: each goal's figure beside its bound, both sides measured in turn in one run, on this machine.

    goals.py         P1–P13, C1, V1: what each promises, and how value and met follow from the figures (pure)
    paired.py        sides in turn, medians, spread
    run.py           the goals asked for, one after the other; screen.py, plotting.py, machine.py say what came of it

what is measured
    rates.py         P1 beside the bare loops, P3 Twilio beside plain HTTP, P10 by the hundred
    users_today.py   P2 beside Celery (baseline.py)
    latency.py       P4 first and last on an idle system, P5 behind a hundred thousand blue ones
    size.py          P6 cost and memory by size, P13 idle
    counting.py      P7 audiences (audience.py), in memory and over HTTP
    isolation.py     P8 another channel slow, hanging, throttling
    kills.py         P9 kill -9, planning included
    ledgers.py       P11 beside bare asyncpg (bare_ledger.py)
    receiving.py     P12 receipts (load.py) beside a bare handler
    calling_off.py   C1 called off on its way, at five points; judge.py says what came of it (pure)
    watching.py      V1 with one and with three hundred looking on; an area counted again while it is drawn

what it is measured with
    yard.py          what a run shares; ground.py a database with the register in it; servers.py databases and virtual hosts
    engine.py        one engine, reached by its public doors; stand.py the process it is; bulletin.py its warnings
    orders.py        the processes of the benchmark take orders, one JSON line each
    sink.py          the cheapest honest provider: counts what it got and when
    logbook.py       what the sink, or the played city, wrote down before it answered
    loops.py         the bare loops that nothing of ours stands behind; wire.py the bytes both sides send
    provider.py      the plain and the batch provider, registered for the run

Nothing is simulated: what this machine cannot measure is null, and says why.
"""
