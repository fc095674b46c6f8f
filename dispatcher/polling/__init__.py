"""上游目录: what others publish as feeds of CAP. Nothing here knows the database; `pipeline/poll.py` brings it together.

reading.py    Atom and RSS → entries: who each one is, where its CAP lies, or the CAP itself
choosing.py   which entries need not be fetched, in which order the others come, and how long to wait after a failure
fetching.py   HTTP: only from hosts that were named, within limits of time and size, not again what has not changed
"""
