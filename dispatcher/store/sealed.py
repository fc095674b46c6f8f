"""Sealed columns: AES-GCM over phones, homes and secrets, and a keyed hash to find a phone without opening it.

The same key signs what must be known as ours wherever it lies (Ed25519).

The key comes from the environment or a file of mode 0600 and never reaches the database, so a dump
of it holds no number.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_PLACE = struct.Struct("<dd")


class WrongKey(Exception):
    """The sealing key does not open this database: the service must not start with it."""


class WrongSignature(Exception):
    """Our key did not sign this, or not these bytes."""


class Seal:
    """Seals and opens; one for the process. `key`: 32 random bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise WrongKey("密封密钥应为 32 字节（64 位十六进制）")
        self._cipher = AESGCM(hashlib.sha256(b"mingluo.seal" + key).digest())
        self._index_key = hashlib.sha256(b"mingluo.index" + key).digest()
        self._signing = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"mingluo.sign" + key).digest())

    def seal(self, text: str) -> bytes:
        return self._shut(text.encode())

    def seal_place(self, lat: float, lon: float) -> bytes:
        return self._shut(_PLACE.pack(lat, lon))

    def open_place(self, sealed: bytes) -> tuple[float, float]:
        """Latitude and longitude, to the last bit as they were; raises WrongKey as `open` does."""
        try:
            lat, lon = _PLACE.unpack(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None))
        except (InvalidTag, ValueError, struct.error):
            raise WrongKey("密封密钥打不开登记册中的位置：密钥换过，或数据被改动") from None
        return lat, lon

    def seal_bytes(self, plain: bytes) -> bytes:
        return self._shut(plain)

    def open_bytes(self, sealed: bytes) -> bytes:
        """Raises WrongKey as `open` does."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except InvalidTag:
            raise WrongKey("密封密钥打不开存下的文件：密钥换过，或数据被改动") from None

    def _shut(self, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, None)

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

    def mark(self, text: str) -> str:
        """What only whoever has the key can say of these words: 128 bits, in hexadecimal."""
        return hmac.digest(self._index_key, b"mark\0" + text.encode(), "sha256").hex()[:32]

    @property
    def public_key(self) -> bytes:
        """By which whoever has no secret of ours can check what we signed: 32 bytes."""
        return self._signing.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._signing.sign(message)

    def check(self, message: bytes, signature: bytes) -> None:
        """Raises WrongSignature."""
        try:
            self._signing.public_key().verify(signature, message)
        except InvalidSignature:
            raise WrongSignature("签名不是本系统的密钥签的") from None
