"""The second factor: a code of an app (TOTP), or one of ten on paper. Each is good once.

A phone whose clock is off is told so by how much, instead of being told for ever that the code is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyotp

STEP_S: Final = 30
LEEWAY: Final = 1
"""Steps a code may be early or late."""
_SEARCHED: Final = 40
"""Steps within which a clock that is off is recognised: twenty minutes."""
PAPER_CODES: Final = 10
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""What nobody mistakes for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a code of six digits turned out to be. `step` is the one it belongs to; `off_s`: by how much the phone's clock is
    ahead (or, below 0, behind), where it is more than a step."""

    step: int
    off_s: int = 0

    @property
    def good(self) -> bool:
        return not self.off_s


def new_secret() -> str:
    return pyotp.random_base32()


def shown(secret: str, code: str, now: datetime) -> Shown | None:
    """None where it is no code of this secret, near or far. Every step is compared, in constant time."""
    totp, here = pyotp.TOTP(secret), int(now.timestamp()) // STEP_S
    found = None
    for away in _outwards():
        step = here + away
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode("utf-8", "surrogateescape")) and not found:
            found = Shown(step=step, off_s=0 if abs(away) <= LEEWAY else away * STEP_S)
    return found


def _outwards() -> Iterator[int]:
    yield 0
    for away in range(1, _SEARCHED + 1):
        yield -away
        yield away


def code_at(secret: str, now: datetime) -> str:
    """What the app shows at this moment."""
    return pyotp.TOTP(secret).at(now)


def uri(secret: str, login: str, issuer: str) -> str:
    """What the app reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=issuer)


def picture(text: str) -> str:
    """A QR code as a data: URL, so that the secret stands in no address and no file."""
    import segno  # noqa: PLC0415 - with the first code that is drawn, not before

    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="svg", scale=4, border=2, xmldecl=False)
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()


def new_code(groups: int = 2) -> str:
    """Of groups of four characters, 20 bits each, that are easily read out: `k7mp-2xwd`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(groups))


def digest(code: str, salt: str = "") -> str:
    """As it is kept; typed in capitals, with spaces or without hyphens it is the same. `salt`: whose it is."""
    plain = "".join(one for one in code.lower() if one.isalnum())
    return hashlib.sha256(f"{salt}\n{plain}".encode()).hexdigest()
