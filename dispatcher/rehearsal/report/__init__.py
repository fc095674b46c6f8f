"""The night's report: one self-contained HTML file that replays it from the ledger, and beside it report.txt and map.svg.

replay.py      when which village and which township was reached, from the ledger's own times
drawing.py     the map as SVG
writing.py     the three files
"""

from dispatcher.rehearsal.report.writing import Night, write_report

__all__ = ["Night", "write_report"]
