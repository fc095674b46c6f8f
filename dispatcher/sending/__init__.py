"""From frozen chunks to the wire and back into the ledger.

    dispatch.py   feeds the outlets, gathers what is due again, takes back what a crash left
    laying.py     a frozen chunk becomes rows: made ready beside the sending, written in one go
    in_hand.py    what somebody here works at, and what became ours without anybody knowing
    outlet.py     one channel of one side: the heap of open chunks, the window, the long-lived sender loops
    opened.py     what is opened and waits for its call; nobody is called twice at once
    calling.py    one call: which provider, what it already has, what it answers
    watchdog.py   the last limit of a call
    way.py        what is less urgent stands still while a red is judged
    lease.py      how long what was taken may be believed our own
    writer.py     its one writer: results and marks in group commits, then whatever else waits
    outcome.py    what a provider's answer means for a delivery (pure)
    live.py       a warning being sent: its bulletin, its texts, and whether it is still in force
    approved.py   whether what stands in the database is what was approved, and by whom (header, lists, rows)
    barring.py    what must not leave although its warning holds, and how its rows end
    mixing.py     whether all that is kept of a warning agrees that it is a drill, or none (pure)

What it must survive: kill -9 at any instant (rows below `opened_to` without a result are exactly the doubtful ones), a
database that goes away (results wait in memory), a provider that hangs or lies, a process that stood still past its lease, a
warning called off in the middle; and a drill's flag flipped anywhere: an outlet is a drill's or a live one, and there is no
way from one to the other.
"""
