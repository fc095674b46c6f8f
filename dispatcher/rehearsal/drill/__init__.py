"""Drills: a scenario is read, played, scored and reported.

    scenario.py    config/jian/scenarios/*.yaml, typed and judged before anything is played
    letters.py     a step → the message a source of drills sends
    playing.py     the steps in their time, by the HTTP door; what became of each
    desk.py        on a stage of its own, rehearsal servers only
    field.py       by the running service, to whom config/drills.yaml lists
    score.py       what was reached, in what time, against what was expected
    report.py      the page
    telling.py     what the screen shows

A message of a drill is Exercise because of who makes it: a scenario cannot say otherwise.
"""
