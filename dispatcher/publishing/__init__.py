"""对外发布: our own warnings as others read them. Pure: what is published is asked for by `web/api/feeds.py`.

cap.py    a warning as CAP 1.2
atom.py   the feed that lists them
"""
