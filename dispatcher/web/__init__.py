"""HTTP: everything that comes in by a URL. It decides nothing: verbs stand in `pipeline/`, queries in `store/`.

    doors.py        what the service hands in
    site.py         the server and its limits
    routes/         every route in one table: who may, what it takes, what it answers
    client.py       who is at the other end: the real address, and whether anybody can read along
    edge.py         what every request passes first: its address's share, and TLS where it comes from another machine
    limits.py       how much one address may ask for
    asker.py        who asks, and whether he may: before any handler runs
    guard.py        tokens of sources, forms of ours; the headers every answer carries
    problems.py     errors as application/problem+json; the handler of last resort
    asking.py       reading a request: body, query, cursor
    shapes.py       the bodies, as models
    reach.py        counts by channel, county and township: what the API says and the page shows
    live.py         server-sent events, resumed by Last-Event-ID
    health.py       live, ready, metrics
    openapi.py      the OpenAPI 3.1 and AsyncAPI 3 documents, made from the tables
    api/            the handlers of /api/v1
    console/        the pages: signing in, accounts, the list of warnings, one landing

It must survive hostile bytes, slow and vanishing clients, forged callbacks and a database that is away: whoever sent a
warning or a receipt is answered well only after the commit.
"""
