"""Receiver: a backend with a webhook, which verifies the deliveries."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

KEY = os.urandom(32)
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """A backend with a webhook; `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.refused: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.attempts = 0
        self._changed = asyncio.Condition()
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/hook"))

    @property
    def ids(self) -> list[str]:
        return [each["id"] for each in self.events]

    async def until(self, *, events: int = 0, attempts: int = 0) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(
                lambda: len(self.events) >= events and self.attempts >= attempts
            )

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        event = json.loads(body)
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
        digest = hmac.new(KEY, signed + body, hashlib.sha256).digest()
        assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        assert request.headers["webhook-id"] == event["id"]
        async with self._changed:
            self.attempts += 1
            refuses = event["data"].get("text") in self.refused
            if self.status == 200 and not refuses:
                self.events.append(event)
            self._changed.notify_all()
        return web.Response(status=422 if refuses else self.status)
