"""Everything wired in one place; started in order, stopped in reverse.

    assembly.py    settings → store, seal, register, providers, sender, doors
    running.py     `Service`: the tasks, the ticks, readiness, the drain
    serving.py     from settings to SIGTERM
    listening.py   the socket it is reached at
    front.py       the web site, for processes that listen
    addressing.py  where a target is reached, looked up at sending
    upstream.py    the feeds that are polled: a tick for each, and what a night shift hears of them
    leading.py     which of several processes does what two should not do
    gauges.py      the numbers a night shift watches
    loop.py        what a process runs on
    keys.py        the sealing key and the lock file

The only place that knows which provider stands behind a channel, and that reads the clock.
"""
