"""The duty room: what happened in this shift, what is handed over, whom a red tonight would not reach, and the paper to sign.

sheet.py     how a page of the duty room is shown
log.py       the duty log, as the chained log has it
shift.py     交接班: the log, what is open, notes, handing over
tonight.py   今夜值班单: who and what is missing, by county and township
form.py      预警信息发布审批单: one warning on paper, and the scans of it
"""
