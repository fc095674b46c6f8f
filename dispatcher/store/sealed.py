"""Sealed columns: AES-GCM over phones and secrets, and a keyed hash to find a phone without opening it.

The key comes from the environment or a file of mode 0600 and never reaches the database, so a dump
of it holds no number.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class WrongKey(Exception):
    """The sealing key does not open this database: the service must not start with it."""


class Seal:
    """Seals and opens; one for the process. `key`: 32 random bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise WrongKey("密封密钥应为 32 字节（64 位十六进制）")
        self._cipher = AESGCM(hashlib.sha256(b"mingluo.seal" + key).digest())
        self._index_key = hashlib.sha256(b"mingluo.index" + key).digest()

    def seal(self, text: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text.encode(), None)

    def open(self, sealed: bytes) -> str:
        """Raises WrongKey where another key sealed it, or a byte was changed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
        except (InvalidTag, ValueError):
            raise WrongKey("密封密钥打不开登记册中的号码：密钥换过，或数据被改动") from None

    def index(self, phone: str) -> int:
        """The blind index of an E.164 phone: 63 bits, positive."""
        digest = hmac.digest(self._index_key, phone.encode(), "sha256")
        return int.from_bytes(digest[:8], "big") >> 1
