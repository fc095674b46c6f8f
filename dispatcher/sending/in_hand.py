"""What somebody here works at; and what became ours without anybody here knowing: its commit was answered by silence.

It must not take for forgotten what is only answered late: a link that was down for three seconds brings the answer of a commit
seconds after others read what it wrote, and whoever waits for it still has to hand the chunk over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import count

from dispatcher.sending.opened import OpenChunk


class InHand:
    """`add` what is handed over, inside `taking`; ask now and then what is `forgotten`."""

    def __init__(self) -> None:
        self._chunks: dict[int, OpenChunk] = {}
        self._numbers = count()
        self._taking: set[int] = set()
        """Those who are about to hand something over."""
        self._missed: dict[int, set[int]] = {}
        """Chunk → of those who were taking something when it was missed first, who still does."""

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Something may become ours, until it is handed over."""
        mine = next(self._numbers)
        self._taking.add(mine)
        try:
            yield
        finally:
            self._taking.discard(mine)

    def add(self, chunk: OpenChunk) -> None:
        self._chunks[chunk.id] = chunk

    def forgotten(self, held: Collection[int], closing: Collection[int]) -> set[int]:
        """Of those that are ours in the database (`held`): whom nobody here works at, closes, or may still hand over, at two
        looks in a row."""
        self._chunks = {number: one for number, one in self._chunks.items() if one.left and not one.lost}
        before, self._missed = self._missed, {}
        found = set()
        for number in set(held) - self._chunks.keys() - set(closing):
            waits = self._taking & before.get(number, self._taking)
            if number in before and not waits:
                found.add(number)
            else:
                self._missed[number] = waits
        return found
