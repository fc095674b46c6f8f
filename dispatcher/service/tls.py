"""The certificate that the console shows, read before the socket is opened.

A start with a certificate nobody will believe must say so, and still start: at night a browser's warning is better than no
console. One that does not fit its key, or a key that others can read, stops the start.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.settings import BadConfiguration

SOON_DAYS = 30


@dataclass(frozen=True, slots=True)
class Files:
    """PEM: the certificate with those above it, and its private key."""

    certificate: Path
    key: Path


def context_of(files: Files) -> ssl.SSLContext:
    """TLS 1.2 and later; BadConfiguration says what to mend."""
    for what, path in (("证书", files.certificate), ("私钥", files.key)):
        if not path.is_file():
            raise BadConfiguration(f"{what}文件 {path} 不存在：请核对 --tls 后面的两个路径（先证书，后私钥）")
    if files.key.stat().st_mode & 0o077:
        raise BadConfiguration(f"{files.key} 别人也能读：请运行 chmod 600 '{files.key}'")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key, password=_refuse)
    except (ssl.SSLError, OSError) as error:
        raise BadConfiguration(
            f"证书 {files.certificate} 和私钥 {files.key} 用不了（{getattr(error, 'reason', None) or error}）："
            "请确认两个文件是一对，都是 PEM 格式，私钥没有口令"
        ) from error
    return context


def _refuse() -> bytes:
    """Without it OpenSSL asks the terminal for a passphrase, and a service that nobody watches waits for ever."""
    return b""


def remark(files: Files, now: datetime | None = None) -> str:
    """What a person should know of the certificate; empty where there is nothing."""
    from cryptography import x509  # noqa: PLC0415 - with a certificate, not before

    now = now or datetime.now(UTC)
    found = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    days = (found.not_valid_after_utc - now).days
    if now > found.not_valid_after_utc:
        return f"证书已于 {found.not_valid_after_utc:%Y-%m-%d} 过期，浏览器会拦住：请换新证书后重新启动"
    if now < found.not_valid_before_utc:
        return f"证书要到 {found.not_valid_before_utc:%Y-%m-%d} 才生效：请核对证书和本机时钟"
    return f"证书还有 {days} 天到期：请尽快换新" if days < SOON_DAYS else ""
