"""What makes a password, and argon2id off the loop: hashing takes a core for a tenth of a second, and a warning must not wait.

An unknown name is hashed for as long as a known one, so that time tells nobody who has an account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")
Rule = Literal["asvs", "mlps3"]
"""`asvs`: length and guesses alone. `mlps3` (等保三级): three kinds of characters too."""

SHORTEST: Final = 12
LONGEST: Final = 128
_GUESSED: Final = 72
"""How much of it is looked at for what can be guessed: the time for that grows with its square."""
_SAFE: Final = 3
"""Of zxcvbn's 0 to 4: more than 10^8 guesses."""
_HASHER: Final = PasswordHasher()
NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$vJ7iYlQIoH6OFVZuQinGdA$hKyBA9bklaBXFkJ+usB02bdHLJZNCqWHG7Y+CmDMGCQ"
"""Of a password that nobody knows, as costly as any other; to make one at every start took a tenth of a second."""
_THREADS: Final = ThreadPoolExecutor(2, "argon2")
"""Two at once: each takes 64 MiB and a core, and whoever guesses by the hundred waits in line."""


def weakness(password: str, about: Sequence[str], rule: Rule = "asvs") -> str:
    """Why it will not do, one sentence; '' where it will. `about`: what anybody would try first, his name for one."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"密码应为 {SHORTEST} 到 {LONGEST} 个字符，现在是 {len(password)} 个：几个不相干的词连起来最好记"
    if rule == "mlps3" and _kinds(password) < 3:
        return "按等级保护要求，密码应含大写字母、小写字母、数字、符号中的三种"
    from zxcvbn import zxcvbn  # noqa: PLC0415 - with the first password that is set: its lists of words hold 11 MiB

    found = zxcvbn(password[:_GUESSED], user_inputs=[*about, "mingluo", "鸣锣", "jian", "吉安"])
    if found["score"] < _SAFE:
        return "这个密码太容易猜到（常见的词、名字、日期或键盘上相邻的键）：请换一个"
    return ""


def _kinds(password: str) -> int:
    kinds: tuple[Callable[[str], bool], ...] = (str.isupper, str.islower, str.isdigit, lambda one: not one.isalnum())
    return sum(any(map(kind, password)) for kind in kinds)


async def weakness_of(password: str, about: Sequence[str], rule: Rule) -> str:
    """The same, off the loop."""
    return await _aside(lambda: weakness(password, about, rule))


async def hashed(password: str) -> str:
    return await _aside(lambda: _HASHER.hash(password))


async def matches(password: str, known: str) -> bool:
    """`known`: a hash, '' where there is none; that takes as long."""
    return await _aside(lambda: _matches(password, known))


def _matches(password: str, known: str) -> bool:
    try:
        return _HASHER.verify(known or NOBODY, password[:LONGEST]) and bool(known)
    except (VerificationError, InvalidHashError):
        return False


async def _aside(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
