"""Who is who at the console, and who may do what where.

authority.py     the one place that decides: role × action × area
password.py      what makes one, argon2id off the loop
second.py        the second factor: TOTP, paper codes
texting.py       the second factor by SMS: asked for, counted, used once
throttle.py      how long a guesser waits
entering.py      from a name and a password to a session, and out of it again
keeping.py       accounts and tokens made, changed, disabled; the first account
linking.py       one-time links: how the demo lets somebody in as one of its invented people
"""
