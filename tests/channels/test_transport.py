"""The shared HTTP client: limits, outcomes, traces."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.contract import Blame, Refused, TryAgain
from channels.http1 import BODY_LIMIT
from channels.transport import TRACE_LIMIT, Answer, Transport, judge, located, retry_after, trace
from tests.channels.conformance import NOW, answer


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *[(state, type(None)) for state in (200, 201, 204)],
        *[(state, Refused) for state in (301, 307, 400, 401, 404, 410, 413)],
        *[(state, TryAgain) for state in (408, 429, 500, 502, 503, 504, 599)],
    ],
)
def test_a_state_means_the_same_for_every_provider(status: int, expected: type) -> None:
    assert isinstance(judge(Answer(status=status, headers={}, body=b""), NOW, blame=Blame.ACCOUNT), expected)


def test_who_is_blamed_for_a_refusal() -> None:
    def blame(status: int) -> Blame:
        outcome = judge(Answer(status=status, headers={}, body=b""), NOW, blame=Blame.ADDRESS)
        assert isinstance(outcome, Refused)
        return outcome.blame

    assert (blame(400), blame(413), blame(403), blame(302)) == (
        Blame.MESSAGE,
        Blame.MESSAGE,
        Blame.ADDRESS,
        Blame.ADDRESS,
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("Thu, 18 Jun 2026 14:30:20 GMT", 20),
        ("Thu, 18 Jun 2026 14:00:00 GMT", 0),
        ("999999999", 3600),
        ("9999999999999", None),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_obeyed_within_reason(value: str, seconds: float | None) -> None:
    assert retry_after(Answer(status=429, headers={"Retry-After": value}, body=b""), NOW) == seconds


def test_a_trace_is_short_and_without_secrets() -> None:
    said = Answer(status=200, headers={}, body=("geheim" + "x" * TRACE_LIMIT * 2).encode())
    kept = trace("POST geheim +8615400000001\x00", said, ("geheim", "", "8615400000001"))
    assert "geheim" not in kept
    assert "8615400000001" not in kept
    assert "\x00" not in kept
    assert len(kept) < TRACE_LIMIT + 200
    assert "没有应答" in trace("POST", None)


def test_an_address_that_is_a_path_stands_under_the_base_url() -> None:
    assert located("http://127.0.0.1:9/", "/gateways/1") == "http://127.0.0.1:9/gateways/1"
    assert located("http://127.0.0.1:9", "http://10.0.0.1/g") == "http://10.0.0.1/g"


@asynccontextmanager
async def serving(reply: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


async def test_a_long_answer_is_cut_but_its_state_counts() -> None:
    async with serving(answer(503, b"x" * BODY_LIMIT * 2)) as (port, _):
        transport = Transport(loopback_only=True)
        said = await transport.line(in_flight=1, timeout_s=2).post(f"http://127.0.0.1:{port}/", b"{}", {})
        await transport.close()
    assert isinstance(said, Answer)
    assert (said.status, said.whole, len(said.body)) == (503, False, BODY_LIMIT)


async def test_a_forbidden_address_is_refused_before_a_byte_leaves() -> None:
    async with serving(answer(200, b"")) as (port, heard):
        transport = Transport()
        line = transport.line(in_flight=1, timeout_s=2)
        by_number = await line.post(f"http://127.0.0.1:{port}/", b"{}", {})
        by_name = await line.post(f"http://localhost:{port}/", b"{}", {})
        by_trick = await line.post(f"http://127.1:{port}/", b"{}", {})
        await transport.close()
    for outcome in (by_number, by_name, by_trick):
        assert isinstance(outcome, Refused)
        assert outcome.blame is Blame.ADDRESS
    assert not heard


async def test_a_line_whose_slots_hang_does_not_eat_anothers() -> None:
    gate = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.close()

    dead = await asyncio.start_server(hang, "127.0.0.1", 0)
    transport = Transport(loopback_only=True)
    slow, quick = (transport.line(in_flight=2, timeout_s=0.4) for _ in range(2))
    async with serving(answer(200, b"ok")) as (port, _), asyncio.TaskGroup() as group:
        url = f"http://127.0.0.1:{dead.sockets[0].getsockname()[1]}/"
        hanging = [group.create_task(slow.post(url, b"", {})) for _ in range(4)]
        assert isinstance(await quick.post(f"http://127.0.0.1:{port}/", b"", {}), Answer)
        assert not any(task.done() for task in hanging)
    kinds = sorted(type(task.result()).__name__ for task in hanging)
    assert kinds == ["NotKnown", "NotKnown", "TryAgain", "TryAgain"], "who waited for a slot never left"
    gate.set()
    await transport.close()
    dead.close()


def certificate(folder: Path, *, days: int, host: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate of its own making, and the file that makes it trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    today = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.IPAddress(IPv4Address(host))] if host[0].isdigit() else [x509.DNSName(host)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=30))
        .not_valid_after(today + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file, key_file = folder / "cert.pem", folder / "key.pem"
    file.write_bytes(made.public_bytes(pem))
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file, key_file)
    return server, file


@pytest.mark.parametrize(
    ("days", "host", "trusted"), [(-1, "127.0.0.1", True), (9, "other.example", True), (9, "127.0.0.1", False)]
)
async def test_a_wrong_certificate_gets_not_one_byte_of_payload(
    tmp_path: Path, days: int, host: str, trusted: bool
) -> None:
    server, file = certificate(tmp_path, days=days, host=host)
    async with serving(answer(200, b""), tls=server) as (port, heard):
        tls = ssl.create_default_context(cafile=str(file)) if trusted else None
        transport = Transport(loopback_only=True, tls=tls)
        outcome = await transport.line(in_flight=1, timeout_s=2).post(f"https://127.0.0.1:{port}/", b"payload", {})
        await transport.close()
    assert isinstance(outcome, TryAgain)
    assert outcome.code == "tls_config"
    assert not any(heard)


async def test_a_private_authority_can_be_trusted(tmp_path: Path) -> None:
    server, file = certificate(tmp_path, days=9, host="127.0.0.1")
    async with serving(answer(200, b"ok"), tls=server) as (port, heard):
        transport = Transport(loopback_only=True, tls=ssl.create_default_context(cafile=str(file)))
        said = await transport.line(in_flight=1, timeout_s=2).post(f"https://127.0.0.1:{port}/", b"payload", {})
        await transport.close()
    assert isinstance(said, Answer)
    assert b"payload" in heard[0]


async def test_a_name_that_does_not_exist_never_left() -> None:
    transport = Transport()
    outcome = await transport.line(in_flight=1, timeout_s=2).post("http://nowhere.invalid/", b"", {})
    await transport.close()
    assert isinstance(outcome, TryAgain)
    assert outcome.code == "name_unknown"


async def test_a_url_that_is_none_is_refused() -> None:
    transport = Transport()
    line = transport.line(in_flight=1, timeout_s=2)
    for url in ("", "/gateways/1", "http://[::1", "http://a b/"):
        assert isinstance(await line.post(url, b"", {}), Refused)
    await transport.close()
