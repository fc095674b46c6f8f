"""Who and what is where: areas, officers and their posts, offices, gateways, endpoints, subscriptions, residents.

`register.py` holds it in memory and rebuilds it when the register's version in the database moves; `sample/` makes the
synthetic Ji'an; `importing.py` and `exporting.py` exchange files (`cells.py` is a table's form in them); `verifying.py`
looks for what would leave somebody unwarned; `unmasking.py` shows one number, and puts on record to whom.
"""
