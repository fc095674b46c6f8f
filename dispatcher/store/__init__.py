"""All SQL and nothing but SQL: `tables.py`, `engine.py` (the only place a transaction begins), and a file per noun.

Every function takes the connection of the caller's transaction first, so that what belongs together commits together.
It must survive a database that hangs (every statement has a limit), a commit whose answer is lost (natural keys, guarded
updates) and two processes on one database (owner and epoch in every WHERE).
"""
