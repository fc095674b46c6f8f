"""The console: Chinese first, server-rendered, nothing loaded from elsewhere, whole without JavaScript by reloading.

    rendering.py    Jinja2, set up once; how times, numbers and states read
    catalogue.py    the words in English: english.yaml
    preferences.py  in which language and light somebody reads
    navigation.py   where one may go from every page
    overview.py     the bar on every page: what is in force, what waits, what is broken
    framing.py      what every page stands in
    sketch.py       the map: township and county outlines as SVG paths
    basemap.py      what lies under the map on which a warning is drawn
    issuing/        that map, the words beside it, who gets it and who will not
    landing.py      what the page of one warning shows; moving.py: what of it moves
    lanes.py        channels as progress; tiles.py: townships, on the map and beside it
    reading.py      one reading of the database, cut for whoever looks at a part
    naming.py       what places and people are called; spans.py: how long something lasts
    glance.py       the moving part, drawn once for all who look
    sheet.py        what a leader signs; signer.py: the page of it
    recalling.py    taking back, ending, correcting: seen before it is pressed
    planned.py      who is on the list, by name
    trace.py        the rows of the ledger, and one of them opened
    buttons.py      what somebody may do; acting.py: what pressing does
    duty/           the duty room: hand-over, tonight, the paper to sign
    entrance.py, keeping.py   signing in and one's own account; everybody's. demo.py: coming into a demo
    lists.py        what is in force and what waits, the search, what was refused
    pages.py, watching.py   the handlers of the lists, and of one warning
    templates/, static/   HTML, CSS, scripts, and in vendor/ what others wrote

It must survive hostile text in every field (everything is escaped, the policy forbids inline script and style), a
desktop of 1366×768 without a GPU, and 02:39 at night.
"""
