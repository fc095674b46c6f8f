"""Who is to be told, and why each one is on the list: a register and a resolved area become a frozen audience.

Pure: nothing is read, stored or sent. `gathering.py` makes the whole list, `listing.py` holds the rule for people,
`machines.py` for gateways, endpoints and offices, `reasons.py` says in a sentence why somebody is not on the list,
`headcount.py` what a list comes to in numbers, `roll.py` is the register as arrays. It must stay quick enough to be asked
again while somebody drags a polygon.
"""

from dispatcher.audience.gathering import Reached, former, gather, homes_beside, reached_again
from dispatcher.audience.headcount import Headcount, headcount
from dispatcher.audience.reasons import nearest_outside, why_not

__all__ = [
    "Headcount",
    "Reached",
    "former",
    "gather",
    "headcount",
    "homes_beside",
    "nearest_outside",
    "reached_again",
    "why_not",
]
