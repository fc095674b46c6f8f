"""The event's own signature, by Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.

It is checked over the raw bytes, against any of the signatures given (a secret is rotated by sending two), in constant
time, with `now` coming in. The library signs text, so a signed message must be UTF-8.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from dispatcher.intake.findings import refuse
from dispatcher.model import Code, Finding
from dispatcher.settings import Source

TOLERANCE = timedelta(minutes=5)
_SECONDS = re.compile(r"\d{1,11}", re.ASCII)


def check(body: bytes, headers: Mapping[str, str], source: Source, now: datetime) -> Finding | None:
    """208, or None. Where the source need not sign, a missing signature is none, but a wrong one is a forgery all the same."""
    given = {name.lower(): value for name, value in headers.items()}
    if not source.signed and (source.secret is None or "webhook-signature" not in given):
        return None
    fault = _fault(body, given, source, now)
    return refuse(Code.SIGNATURE, fault) if fault else None


def _fault(body: bytes, given: Mapping[str, str], source: Source, now: datetime) -> str | None:
    message_id, written, signatures = (given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (message_id and written and signatures):
        return "缺少签名：须带 webhook-id、webhook-timestamp、webhook-signature 三个报头"
    if not _SECONDS.fullmatch(written):
        return f"webhook-timestamp“{written[:20]}”不是整数秒"
    moment = datetime.fromtimestamp(int(written), tz=UTC)
    if abs(now - moment) > TOLERANCE:
        return f"签名时间与本机相差超过 {TOLERANCE.seconds // 60} 分钟，请校对双方时钟后重发"
    try:
        secret = source.secret.get_secret_value() if source.secret else ""
        expected = Webhook(secret).sign(message_id, moment, body.decode("utf-8"))
    except UnicodeDecodeError:
        return "签名报文必须是 UTF-8"
    except (ValueError, EmptyWebhookSecretError):
        return f"本机为来源“{source.name}”配置的签名密钥无效，请检查 sources.yaml"
    matches = [hmac.compare_digest(expected.encode(), one.encode("utf-8", "replace")) for one in signatures.split(" ")]
    return None if any(matches) else "签名与报文不符：密钥不对，或报文在途中被改动"
