"""A loopback HTTP server that keeps the webhooks it receives."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from google.protobuf import json_format
from livekit.protocol.webhook import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT = 10_000
WITHIN = 20.0


class ReceivedWebhook(NamedTuple):
    """One request: its body as sent, its headers, and the event in it."""

    body: str
    headers: Mapping[str, str]
    event: WebhookEvent


class WebhookReceiver:
    """`async with WebhookReceiver() as receiver: receiver.url`."""

    def __init__(self) -> None:
        self.received: list[ReceivedWebhook] = []
        self.url = ""
        self._refusals = 0
        self._arrived = asyncio.Condition()
        app = web.Application()
        app.router.add_post("/webhooks", self._receive)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> WebhookReceiver:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        _, port = self._runner.addresses[0]
        self.url = f"http://127.0.0.1:{port}/webhooks"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def refuse(self, times: int) -> None:
        """Answers the next `times` requests with 503."""
        self._refusals = times

    async def wait_for(self, wanted: Callable[[ReceivedWebhook], bool]) -> ReceivedWebhook:
        """The first webhook that is `wanted`, also one received before; TimeoutError if none."""
        async with asyncio.timeout(WITHIN), self._arrived:
            while True:
                with contextlib.suppress(StopIteration):
                    return next(hook for hook in self.received if wanted(hook))
                await self._arrived.wait()

    async def event(self, name: str, room: str) -> WebhookEvent:
        """The first event of that name in that room."""
        hook = await self.wait_for(
            lambda hook: hook.event.event == name and hook.event.room.name == room
        )
        return hook.event

    async def _receive(self, request: web.Request) -> web.Response:
        if self._refusals:
            self._refusals -= 1
            return web.Response(status=503)
        body = await request.text()
        event = json_format.Parse(body, WebhookEvent(), ignore_unknown_fields=True)
        async with self._arrived:
            if len(self.received) < KEPT:
                self.received.append(ReceivedWebhook(body, dict(request.headers), event))
            self._arrived.notify_all()
        return web.Response()
