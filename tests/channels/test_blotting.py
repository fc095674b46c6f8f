"""What is kept of a conversation names nobody's number, however the other side spelt it."""

from __future__ import annotations

import base64

import pytest

from channels.blotting import BLOT, blotted

NUMBER = "+8615473920618"
BARE = "15473920618"
BLOTS = (NUMBER, BARE)


@pytest.mark.parametrize(
    "spelt",
    [
        NUMBER,
        f"86{BARE}",
        f"0086{BARE}",
        BARE,
        "154 7392 0618",
        "154-7392-0618",
        "+86 (154) 7392-0618",
        "1 5 4 7 3 9 2 0 6 1 8",
        "１５４７３９２０６１８",
        f"%2B86{BARE}",
        f"%22{BARE}%22",
        "".join(f"%{ord(digit):02X}" for digit in BARE),
        "".join(f"\\uff1{digit}" for digit in BARE),
        "".join(f"\\u003{digit}" for digit in BARE),
        "".join(f"{digit}\0" for digit in BARE),
        BARE.encode("utf-16-be").decode("utf-8", "replace"),
        base64.b64encode(NUMBER.encode()).decode(),
        base64.urlsafe_b64encode(f"?>{BARE}".encode()).decode(),
        base64.b64encode(f"to={BARE};".encode()).decode().rstrip("="),
        f"x{base64.b64encode(BARE.encode()).decode()}",
        base64.b64encode(BARE.encode("utf-16-le")).decode(),
    ],
)
def test_a_number_goes_whatever_way_it_is_spelt(spelt: str) -> None:
    said = blotted(f"号码 {spelt} 不存在", BLOTS)
    assert BLOT in said
    assert said.startswith("号码 ")
    assert said.endswith(" 不存在")
    assert not any(part in said for part in ("7392", "７３９２", "%37%33%39%32"))


def test_what_is_no_number_of_theirs_stays() -> None:
    text = "2026-04-02 18:39 1231 OutId 0000000000000000000a 15400000001 SM00ff aGVsbG8gd29ybGQgYWdhaW4="
    assert blotted(text, BLOTS) == text


def test_a_secret_goes_as_it_is_and_nothing_is_no_secret() -> None:
    assert blotted("token=abc&x", ("abc", "")) == f"token={BLOT}&x"
    assert blotted("a\0b", ()) == "ab"
