"""`python -m tests.services pytest …`: settles the services, runs that module with them, ends what it started."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.services.settling import settled


def main() -> int:
    with settled() as environment:
        child = subprocess.Popen([sys.executable, "-m", *sys.argv[1:]], env={**os.environ, **environment})
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue  # the child got it too and says goodbye itself


if __name__ == "__main__":
    sys.exit(main())
