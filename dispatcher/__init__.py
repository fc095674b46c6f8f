"""Mingluo 鸣锣: the map. A warning takes these steps; each is one file (or a folder of that name).

    intake/          1  event in: native JSON, CAP 1.2, the national XML → WarningMessage; judged; kept once
    audience/        2  who is to be told, and why each one is on the list
    planning.py      3  which channel, which text, in which order, by when; frozen and hashed with the audience
    approval.py      4  who may let it go: a trusted source, or two persons
    sending/         5  chunks, slices, lanes, retries, withdrawal; its one writer
    receipts.py      6  what the provider, the gateway or the platform says became of it
    answering.py     7  叫应: call-outs, answers, the ladder upwards (comes with its own issue)
    outbox.py        8  what other systems hear of it: committed with the change, relayed to the broker
    reporting.py     9  reach, holes, times: counts, county table, the night's report
    publishing/     10  our own warnings as others read them: CAP 1.2
    polling/        11  theirs as they publish them: feeds of CAP, fetched for step 1

They meet only in `pipeline/`, whose `order.py` states the flow. Round them:

    __main__.py      the command line
    commands/        what each command does
    rehearsal/       the city on loopback: real HTTP servers that play the providers, the demo, the benchmark
    service/         everything wired in one place; started in order, stopped in reverse
    web/             HTTP: routes, OpenAPI, callbacks, live events, the page that shows a warning landing
    accounts/        who is who at the console, and who may do what where
    registry/        who and what is where: areas, people, gateways, offices, endpoints, subscriptions; the sample
    geofence/        area codes, polygons, circles → what lies inside
    wording.py       the text, per level, role and channel
    linting/         remarks on the text: the five elements, what fits, what contradicts itself; it never holds
    accounts/        who is who, who may do what where
    signing.py       what a signature stands for, and when a warning may leave by it
    auditing.py      whether the log of what was done is whole: its chain, and its anchors
    broker/          consume(handler) and publish(event): RabbitMQ and embedded
    store/           all SQL and nothing but SQL
    settings/        config/*.yaml and the environment → typed settings
    drills.py        who may be told in a field drill, and which loudspeakers may sound
    telemetry.py     logging, metrics, masking of phone numbers
    states.py        what may follow what
    model/           the words of the domain

How the outside world is reached lies in the package `channels`, which never imports this one.
"""

__version__ = "0.1.0"
