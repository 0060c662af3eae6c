"""Webhooks: events of rooms, sent to configured URLs, signed as livekit-server signs.

Events, queues and retries are those of livekit-server (pkg/telemetry/events.go; livekit/protocol:
webhook/resource_url_notifier.go): for each URL and room one queue, so that events of a room stay in
order and a room does not wait for another.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import hashlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from google.protobuf import json_format
from livekit.api.access_token import Claims
from livekit.protocol import models
from livekit.protocol.webhook import WebhookEvent

from devserver import sid
from devserver.rooms.listeners import RoomListener
from devserver.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiohttp import web

    from devserver.rooms.participant import Participant
    from devserver.rooms.register import RoomRegister
    from devserver.rooms.room import Room

log = logging.getLogger("devserver.webhooks")

QUEUED = 200
"""Events that wait for one URL and room; further ones are dropped."""
QUEUES = 1000
"""Rooms, times URLs, with events that wait; events of further ones are dropped."""
OLDEST_SECONDS = 30.0
"""An event that waited longer is dropped."""
RETRY_AFTER_SECONDS = (1.0, 2.0, 4.0, 8.0)
ANSWER_WITHIN_SECONDS = 10.0
TOKEN_TTL = datetime.timedelta(minutes=5)

_EVENT = "EV_"


class _Queued(NamedTuple):
    event: WebhookEvent
    since: float
    """Time of the event loop."""


class Webhooks(RoomListener):
    """Sends every event to every URL, from its making to ``close``."""

    def __init__(self, register: RoomRegister, urls: Sequence[str]) -> None:
        self._auth = register.context.auth
        self._urls = urls
        self._tasks = TaskSet()
        self._queues: dict[tuple[str, str], deque[_Queued]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        register.listeners.append(self)

    def routes(self) -> Iterable[web.RouteDef]:
        """It has no routes."""
        return ()

    async def close(self) -> None:
        """Ends deliveries in progress; waiting events are not sent."""
        self._closed = True
        await self._tasks.close()
        if self._session is not None:
            await self._session.close()

    # --- events

    def room_started(self, room: Room) -> None:
        self._notify(WebhookEvent(event="room_started", room=room.info))

    def room_finished(self, room: Room) -> None:
        self._notify(WebhookEvent(event="room_finished", room=room.info))

    def participant_joined(self, room: Room, participant: Participant) -> None:
        self._notify(_of_participant("participant_joined", room, participant))

    def participant_left(self, room: Room, participant: Participant) -> None:
        self._notify(_of_participant("participant_left", room, participant))

    def participant_connection_aborted(self, room: Room, participant: Participant) -> None:
        self._notify(_of_participant("participant_connection_aborted", room, participant))

    def track_published(
        self, room: Room, participant: Participant, track: models.TrackInfo
    ) -> None:
        self._notify(_of_track("track_published", room, participant, track))

    def track_unpublished(
        self, room: Room, participant: Participant, track: models.TrackInfo
    ) -> None:
        self._notify(_of_track("track_unpublished", room, participant, track))

    # --- delivery

    def _notify(self, event: WebhookEvent) -> None:
        if self._closed:
            return
        event.id = sid.new_sid(_EVENT)
        event.created_at = int(time.time())
        queued = _Queued(event, asyncio.get_running_loop().time())
        for url in self._urls:
            key = (url, event.room.name)
            queue = self._queues.get(key)
            if queue is None and len(self._queues) < QUEUES:
                self._queues[key] = deque([queued])
                self._tasks.start(self._deliver(key), name="webhooks")
            elif queue is not None and len(queue) < QUEUED:
                queue.append(queued)
            else:
                log.warning("dropped webhook %s: too many wait", event.event)

    async def _deliver(self, key: tuple[str, str]) -> None:
        """Sends the queue of a URL and room, one event after the other, until it is empty."""
        url, _ = key
        queue = self._queues[key]
        try:
            while queue:
                event, since = queue.popleft()
                if asyncio.get_running_loop().time() - since > OLDEST_SECONDS:
                    log.warning("dropped webhook %s: it waited too long", event.event)
                else:
                    await self._send(url, event)
        finally:
            del self._queues[key]

    async def _send(self, url: str, event: WebhookEvent) -> None:
        body = json_format.MessageToJson(event, indent=None).encode()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers = {
            "Authorization": self._auth.issue("", Claims(sha256=digest), TOKEN_TTL),
            # So that nothing parses the body before the signature is checked.
            "Content-Type": "application/webhook+json",
        }
        for pause in (*RETRY_AFTER_SECONDS, None):
            if await self._accepted(url, body, headers):
                return
            if pause is not None:
                await asyncio.sleep(pause)
        log.warning("gave up webhook %s to %s", event.event, url)

    async def _accepted(self, url: str, body: bytes, headers: dict[str, str]) -> bool:
        """Whether the delivery is done: the receiver has the event, or refused it for good."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_SECONDS)
            )
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.post(url, data=body, headers=headers) as response:
                again = response.status == 429 or (
                    response.status >= 500 and response.status != 501
                )
                return not again
        return False


def _of_participant(event: str, room: Room, participant: Participant) -> WebhookEvent:
    return WebhookEvent(event=event, room=room.info, participant=participant.info)


def _of_track(
    event: str, room: Room, participant: Participant, track: models.TrackInfo
) -> WebhookEvent:
    return WebhookEvent(
        event=event,
        room=models.Room(sid=room.info.sid, name=room.name),
        participant=models.ParticipantInfo(sid=participant.sid, identity=participant.identity),
        track=track,
    )
