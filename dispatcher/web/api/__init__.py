"""The handlers of /api/v1: `warnings.py` in and out, `deliveries.py` the ledger, `machines.py` gateways and refusals,
`people.py` somebody's number, `log.py` who did what, `callbacks.py` what providers report. Each is named in `routes.py`."""
