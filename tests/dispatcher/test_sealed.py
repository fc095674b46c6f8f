"""Phones and secrets lie sealed: the right key opens them, any other key or a changed byte does not."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.store.sealed import Seal, WrongKey

KEY = bytes(range(32))
PHONE = "+8615400000001"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_as_it_was(text: str) -> None:
    assert Seal(KEY).open(Seal(KEY).seal(text)) == text


def test_the_same_number_sealed_twice_looks_different_and_shows_nothing() -> None:
    seal = Seal(KEY)
    first, second = seal.seal(PHONE), seal.seal(PHONE)
    assert first != second
    assert b"154" not in first


def test_another_key_does_not_open_it_and_says_so() -> None:
    with pytest.raises(WrongKey, match="密钥"):
        Seal(bytes(32)).open(Seal(KEY).seal(PHONE))


def test_a_changed_byte_anywhere_is_noticed() -> None:
    sealed = Seal(KEY).seal(PHONE)
    for at in range(len(sealed)):
        bent = sealed[:at] + bytes([sealed[at] ^ 0x80]) + sealed[at + 1 :]
        with pytest.raises(WrongKey):
            Seal(KEY).open(bent)


@pytest.mark.parametrize("length", [0, 1, 11, 12, 27])
def test_a_torn_value_is_the_same_error_and_no_other(length: int) -> None:
    with pytest.raises(WrongKey):
        Seal(KEY).open(Seal(KEY).seal(PHONE)[:length])


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_the_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(WrongKey, match="32"):
        Seal(os.urandom(length))


def test_a_number_is_found_by_the_same_index_with_the_same_key_only() -> None:
    assert Seal(KEY).index(PHONE) == 8873358422161902662, "stored in databases: may never come out otherwise"
    assert Seal(KEY).index(PHONE) != Seal(bytes(32)).index(PHONE)


@given(st.text("0123456789+", min_size=1, max_size=15))
def test_an_index_fits_a_database_number(phone: str) -> None:
    assert 0 <= Seal(KEY).index(phone) < 2**63


def test_the_numbers_of_a_city_do_not_share_an_index() -> None:
    seal = Seal(KEY)
    assert len({seal.index(f"+86154{number:08d}") for number in range(5000)}) == 5000
