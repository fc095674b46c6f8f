"""The benchmark: each goal's figure beside its bound, both sides measured in turn in one run, on this machine.

    goals.py         P1–P13: what each promises, and how value and met follow from the figures (pure)
    paired.py        two sides in turn, medians, spread (pure but for the running)
    orders.py        processes of the benchmark take orders, one JSON line each; `Hand` gives them
    sink.py          the cheapest honest provider: counts what it got and when
    loops.py         the bare loops that nothing of ours stands behind
    provider.py      the plain and the batch provider, registered for the run
    stand.py         the real service in a process of its own, with what it used of the CPU and the memory
    servers.py       a fresh database and virtual host for each run, dropped afterwards
    ground.py        a database with the sample register in it, copied for each engine
    engine.py        one engine on its ground, reached by its public doors
    bare_ledger.py   the same ledger rows by bare asyncpg
    load.py          receipts by the thousand, for our door and for a bare one
    baseline.py      what users build today: Celery, with the SDK and a row each

Nothing is simulated: what this machine cannot measure is null, and says why.
"""
