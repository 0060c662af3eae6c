"""Signatures of webhooks, in the form of Standard Webhooks, for which there are libraries.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac


def headers(key: bytes, event_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers of one delivery.

    Args:
        seconds: when it is made, since 1970.
    """
    signed = b".".join((event_id.encode(), str(seconds).encode(), body))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
