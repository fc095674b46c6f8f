"""How the outside world is reached. A provider is added in four steps:

1. One file, `channels/<channel>/<kind>.py`, ≤ 150 lines. A class with `max_batch`, `send` and `close`; `read` where the
   provider calls us back (receipts, and what people write back), `ask` where it can be asked. No retry, database, clock
   (`now` comes in) or log in it.
2. In that file: a settings class (from `ProviderSettings`) and the error table: the provider's own code → try again,
   this address, this text, or our account. HTTP states are judged once, in `transport.py`.
3. One row in `catalog.py`: channel → kind → settings, class.
4. One entry in `config/channels.yaml`, and one `Subject` in `tests/channels/subjects.py`; the suite then plays
   every fault on it.

`contract.py` says what a provider must be. Nothing here imports the dispatcher.
"""
