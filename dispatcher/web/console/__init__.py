"""The console: Chinese first, server-rendered, nothing loaded from elsewhere, whole without JavaScript by reloading.

    rendering.py    Jinja2, set up once; how times, numbers and states read
    catalogue.py    the words in English: english.yaml
    sketch.py       the map: township and county outlines as SVG paths
    landing.py      what the page of one warning shows
    pages.py        the handlers
    templates/, static/   HTML, CSS, one small script

It must survive hostile text in every field (everything is escaped, the policy forbids inline script and style), a
desktop of 1366×768 without a GPU, and 02:39 at night.
"""
