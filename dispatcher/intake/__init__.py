"""预警接入: bytes from outside → a WarningMessage, and what speaks against it. Pure: no database, no clock, no network.

decode.py     the one door: picks the format by content, never raises on any bytes
hardened.py   bytes → XML tree: encodings, no DOCTYPE, depth, the CAP 1.2 schema
cap.py        CAP 1.2: the alert's head, its rules, and which info block speaks for it
capinfo.py    CAP 1.2: one info block, with its areas and resources
amp.py        the national warning XML (12379), whose names mean other things than CAP's
native/       native JSON: duplicate keys, depth and numbers first, then a strict form; publishes its JSON Schema
judge.py      what the moment and the source say against a message; the verdict of all findings
signature.py  the event's own signature (Standard Webhooks) over the raw bytes
canonical.py  WarningMessage ↔ JSON, and the digest that tells a repeat from a conflict

Shared by the formats: findings.py (refuse, hold, note) · times.py · text.py · geometry.py · sector.py (downwind, becomes a
polygon) · hazard.py (level and hazard) · narrowing.py · rules.py (what holds for a message whatever it came as).
CAP-v1.2.xsd is OASIS's own file, unchanged.

What it must survive: every byte string. A refused message costs a code and a Chinese sentence, never an exception.
"""
