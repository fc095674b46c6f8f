"""The command line: `mingluo …` = `python -m dispatcher …`. The commands stand in `commands/`."""

from __future__ import annotations

from dispatcher.commands.group import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
