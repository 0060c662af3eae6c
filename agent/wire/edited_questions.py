"""EditedQuestions: shows the new text of an edited message where LiveKit's components show the old.

components-js replaces a chat message when another stream comes with its id, from its sender
(packages/core/src/components/chat.ts, setupChat). An agent may send text streams in a participant's
name; livekit-server marks those as generated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from agent.sdk.native_sending import AddressedText
from agent.wire.attributes import PRIVATE, SCOPE, position_attribute
from agent.wire.client_protocols import ClientProtocols

logger = logging.getLogger(__name__)

CHAT_TOPIC: Final = "lk.chat"
"""The topic of LiveKit's components."""

SEND_TIMEOUT: Final = 10.0


class EditedQuestions:
    """Sends the new texts of messages to the people in one room.

    They go to clients whose `client_protocol` is that of livekit-client: components of other SDKs
    would show them as further messages.
    """

    def __init__(self, room: rtc.Room, protocols: ClientProtocols) -> None:
        self._room = room
        self._protocols = protocols

    @classmethod
    def on(
        cls, topics: Collection[str], room: rtc.Room, protocols: ClientProtocols
    ) -> EditedQuestions | None:
        """None where messages are not read on the topic of LiveKit's components."""
        return cls(room, protocols) if CHAT_TOPIC in topics else None

    async def show(
        self, author: str, message_id: str, text: str, *, private: bool, position: int | None
    ) -> None:
        """Sends a message's new text in its author's name, to the author alone if it is private.

        Without the author in the room, clients cannot tell whose message it is: nothing is sent.
        """
        people = self._room.remote_participants
        if author not in people:
            return
        readers = await self._protocols.all_who_read_headers()
        to = [
            each.identity
            for each in people.values()
            if each.kind == rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
            and each.identity in readers
            and (each.identity == author or not private)
        ]
        if not to:
            return
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                stream = AddressedText(
                    self._room,
                    CHAT_TOPIC,
                    ({SCOPE: PRIVATE} if private else {}) | position_attribute(position),
                    to,
                    stream_id=message_id,
                    update_of=author,
                )
                await stream.write(text)
                await stream.close()
        except (StreamError, TimeoutError, AssertionError) as error:
            reason = str(error) or type(error).__name__
            logger.warning("edited text of a message not sent to clients: %s", reason)
