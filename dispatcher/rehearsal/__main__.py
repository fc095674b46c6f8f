"""`python -m dispatcher.rehearsal`: plays the city until SIGTERM, or until whoever started it is gone."""

from __future__ import annotations

import sys

from dispatcher.rehearsal.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
