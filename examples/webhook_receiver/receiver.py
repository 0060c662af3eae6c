"""A backend that takes the worker's webhooks: it verifies each and adds up tokens by identity.

WEBHOOK_SECRET=whsec_... python examples/webhook_receiver/receiver.py 9000
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web

log = logging.getLogger("receiver")

TOLERANCE = 300
"""Maximum age of a delivery in seconds: a recorded one cannot be replayed later."""

SEEN = web.AppKey("seen", set[str])
"""Ids of events that were dealt with; a real backend keeps them in its database."""

TOKENS = web.AppKey("tokens", Counter[str])


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the worker has sent this, just now."""
    sent, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{sent}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected.encode(), each.encode()) for each in given)


async def receive(request: web.Request) -> web.Response:
    """Answers 2xx once an event is dealt with; with anything else it is sent again."""
    body = await request.read()
    if not verify(os.environ["WEBHOOK_SECRET"], request.headers, body):
        return web.Response(status=401)
    event = json.loads(body)
    if event["id"] not in request.app[SEEN]:
        handle(request.app, event["type"], event["data"])
        request.app[SEEN].add(event["id"])
    return web.Response(status=204)


def handle(app: web.Application, kind: str, data: dict[str, Any]) -> None:
    if kind == "answer.finished":
        usage = data["usage"]
        app[TOKENS][data["askerId"]] += usage["inputTokens"] + usage["outputTokens"]
    elif kind == "conversation.ended":
        log.info("%s: %d messages, %s", data["room"], data["messages"], dict(app[TOKENS]))


def make_app() -> web.Application:
    app = web.Application(client_max_size=2**21)
    app[SEEN], app[TOKENS] = set(), Counter()
    app.router.add_post("/", receive)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[1]))
