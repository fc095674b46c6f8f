"""The handlers of /api/v1: `warnings.py` in and out, `deliveries.py` the ledger, `machines.py` gateways and refusals,
`callbacks.py` what providers report. Each is named in `routes.py`."""
