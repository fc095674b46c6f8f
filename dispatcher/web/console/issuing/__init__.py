"""The page on which a warning is drawn and worded: map left, words right, who gets it and who will not below.

    fields.py     what its form holds, into native JSON, and back out of a draft
    drawing.py    what was drawn on the map, into areas, and back: units, polygons, circles, corridors, pasted names
    showing.py    what the page and its two moving parts show
    pages.py      the handlers: the page, the counts while somebody draws, the words while somebody types, saving

It must survive two officers at one draft (neither loses what he wrote), a browser without JavaScript (names instead of a
map), and a hand that shakes at 02:39: nothing leaves by this page, it drafts and puts forward.
"""
