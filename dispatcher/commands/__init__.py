"""The command line, a file per command; `group.py` names them all and loads only the one that was chosen.

Every command has `--help`, an honest exit code (0 done, 1 not, 2 asked wrongly), says errors in one sentence on standard
error, and with `--json` ends standard output with one JSON object. Logs go to standard error.
"""
