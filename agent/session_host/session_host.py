"""SessionHost: the agent's side of LiveKit's remote session, for moderators.

Agents Playground and livekit-agents' `RemoteSession` ask an agent about its session in byte streams
on `lk.agent.session`: each has one `AgentSessionMessage` (livekit/protocol, agent_session.proto),
and is answered in one under its request id (livekit-agents, voice/remote_session.py). There, every
participant may ask, and every answer goes to the whole room.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from google.protobuf.message import DecodeError
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb
from livekit.rtc.data_stream import StreamError

from agent.config.settings import Settings
from agent.inbox.incoming_streams import ByteStream, ContestedError, RoomStreams
from agent.rpc.permissions import Moderators
from agent.sdk.native_sending import send_addressed_bytes
from agent.sdk.stream_record import NotKeptError
from agent.tasks import Tasks
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal
from toolkit.caller import Caller

logger = logging.getLogger(__name__)

TOPIC: Final = "lk.agent.session"
MAX_REQUESTS: Final = 8
"""Requests of one participant that are being answered at a time."""

REQUEST_BYTES: Final = 1_024
"""Bytes of a request, besides a message in it."""

SEND_TIMEOUT: Final = 10.0
NOT_ALLOWED: Final = "403: Only moderators may use lk.agent.session."
SWITCHED_OFF: Final = "403: This agent has REMOTE_SESSION=off."
FAILED: Final = "500: internal error"

Answer = Callable[[pb.SessionRequest, Caller], Awaitable[pb.SessionResponse]]
"""Answers one request of somebody who may ask."""


class SessionHost:
    """Reads the requests of one room, and answers each only to its sender.

    Participants without the role `moderator` in their token are refused at once, in the answer.

    Args:
        find: looks up a participant, as the server reports them.
        settings: whether moderators may ask, and the limits of messages, which also apply to
            requests.
    """

    def __init__(
        self,
        room: rtc.Room,
        streams: RoomStreams,
        notices: Notices,
        *,
        find: Callable[[str], Awaitable[Caller]],
        answer: Answer,
        settings: Settings,
    ) -> None:
        self._room = room
        self._streams = streams
        self._notices = notices
        self._find = find
        self._answer = answer
        self._is_on = settings.remote_session == "moderators"
        self._max_bytes = settings.max_message_bytes + REQUEST_BYTES
        self._silence = settings.stream_timeout
        self._open: Counter[str] = Counter()
        self._tasks = Tasks()

    def open(self) -> None:
        """Registers the handler. Call it before connecting, since streams without one are lost."""
        self._streams.on_bytes(TOPIC, self._on_stream, max_kept=self._max_bytes)

    async def aclose(self) -> None:
        """Stops listening and cancels answers in progress."""
        self._streams.off_bytes(TOPIC)
        await self._tasks.aclose()

    def _on_stream(self, stream: ByteStream, identity: str) -> None:
        if self._open[identity] >= MAX_REQUESTS:
            stream.close()
            self._refuse(identity, stream, Refusal(429, "Too many requests.", retry_after=1.0))
            return
        self._open[identity] += 1
        task = self._tasks.start(self._serve(stream, identity), name="remote session request")
        task.add_done_callback(lambda _: self._done(identity))

    def _done(self, identity: str) -> None:
        self._open[identity] -= 1
        if not self._open[identity]:
            del self._open[identity]

    async def _serve(self, stream: ByteStream, identity: str) -> None:
        try:
            message = pb.AgentSessionMessage.FromString(await self._read(stream))
        except Refusal as refusal:
            self._refuse(identity, stream, refusal)
            return
        except DecodeError:
            self._refuse(identity, stream, Refusal(400, "The content is no AgentSessionMessage."))
            return
        except (StreamError, NotKeptError):
            self._refuse(identity, stream, Refusal(400, "The request arrived incomplete."))
            return
        finally:
            stream.close()
        if message.HasField("request"):
            await self._send(identity, await self._answer_to(message.request, identity))

    async def _answer_to(self, request: pb.SessionRequest, identity: str) -> pb.SessionResponse:
        error = FAILED
        try:
            caller = await self._find(identity)
            if self._is_on and Moderators(caller):
                return await self._answer(request, caller)
            error = NOT_ALLOWED if self._is_on else SWITCHED_OFF
        except Exception:
            # The boundary around one request: its sender gets the error, others are answered.
            logger.exception("remote session request failed; its sender gets an error")
        return pb.SessionResponse(request_id=request.request_id, error=error)

    async def _read(self, stream: ByteStream) -> bytes:
        """Raises Refusal, StreamError or NotKeptError."""
        data = bytearray()
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    piece = await anext(stream, None)
                if piece is None:
                    return bytes(data)
                data += piece
                if len(data) > self._max_bytes:
                    raise Refusal(413, f"A request may have {self._max_bytes} bytes.")
        except TimeoutError:
            raise Refusal(408, f"Nothing came for {self._silence:g} s.") from None
        except ContestedError:
            return await stream.content(self._silence)

    async def _send(self, identity: str, response: pb.SessionResponse) -> None:
        message = pb.AgentSessionMessage(response=response)
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await send_addressed_bytes(
                    self._room,
                    message.SerializeToString(),
                    topic=TOPIC,
                    stream_id=f"AS_{uuid.uuid4().hex}",
                    to=[identity],
                )
        except (StreamError, TimeoutError, AssertionError) as error:
            reason = str(error) or type(error).__name__
            logger.warning("remote session response not sent: %s", reason)

    def _refuse(self, identity: str, stream: ByteStream, refusal: Refusal) -> None:
        """For a sender without a request to answer."""
        self._notices.refuse(identity, refusal, stream.info.stream_id)
