"""RoomHandle: the room for hooks and tools of the app; implements toolkit.room.Room."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import pydantic_core
from livekit import rtc

from agent.chat.question import new_segment_id
from agent.inbox.message import Form, IncomingMessage, Sender
from agent.tool_calls.callers import described
from agent.wire.envelope import MAX_PACKET_BYTES
from agent.wire.publish import publish_bytes
from agent.wire.refusal import Refusal
from toolkit.caller import Caller
from toolkit.errors import InvalidArguments, NotFound, RateLimited, TooLarge, Unavailable
from toolkit.handoff import Handoff

if TYPE_CHECKING:
    from agent.chat.conversation import Conversation
    from agent.chat.conversations import Conversations
    from agent.tool_calls.call_origin import CallOrigin
    from toolkit.parts import ShownPart

MAX_TEXT_BYTES: Final = 65_536
"""Longest text to say at once, and longest instruction."""


class RoomHandle:
    """Implements toolkit.room.Room, which documents the methods."""

    def __init__(self, room: rtc.Room, name: str, me: Sender, conversations: Conversations) -> None:
        self.name = name
        self.userdata: dict[str, object] = {}
        self._room = room
        self._me = me
        self._conversations = conversations

    @property
    def participants(self) -> Mapping[str, Caller]:
        people = filter(is_person, self._room.remote_participants.values())
        return MappingProxyType({each.identity: described(each) for each in people})

    @property
    def agent(self) -> str:
        return self._conversations.of_room.persona.name

    def say(self, text: str, *, to: str | None = None, private: bool | None = None) -> str:
        return self._speak("", text, to, private)

    def ask(self, instruction: str, *, to: str | None = None, private: bool | None = None) -> str:
        return self._speak(instruction, None, to, private)

    def hand_off(self, agent: str, message: str = "", *, to: str | None = None) -> None:
        self._conversation(to).hand_off(Handoff(agent, message))

    def report(
        self,
        origin: CallOrigin,
        told: str,
        result: str,
        instruction: str,
        parts: Collection[ShownPart],
        segment_id: str | None,
    ) -> None:
        """Makes the model report the result of a background call where the call began; see
        agent.tool_calls.background_calls.Report."""
        identity = origin.caller.identity
        if not origin.private:
            self._conversations.of_room.tell_result(told, result)
        is_here = origin.private or identity in self._room.remote_participants
        to = identity if is_here else None
        self._speak(instruction, None, to, origin.private, tuple(parts), segment_id)
        if origin.private:
            self._conversations.private(identity).tell_result(told, result)

    async def publish(self, topic: str, data: object, *, to: str | None = None) -> None:
        if to is not None:
            self._sender(to)
        try:
            payload = data if isinstance(data, bytes) else pydantic_core.to_json(data)
        except (ValueError, UnicodeEncodeError) as error:
            raise InvalidArguments("The data cannot be written as JSON") from error
        if len(payload) > MAX_PACKET_BYTES:
            raise TooLarge(f"A packet may have {MAX_PACKET_BYTES} bytes")
        if not self._room.isconnected():
            raise Unavailable("The agent is not in the room")
        try:
            await publish_bytes(self._room, payload, topic=topic, to=None if to is None else [to])
        except rtc.participant.PublishDataError as error:
            raise Unavailable("The packet could not be sent") from error

    def _speak(
        self,
        instruction: str,
        text: str | None,
        to: str | None,
        private: bool | None,
        parts: tuple[ShownPart, ...] = (),
        segment_id: str | None = None,
    ) -> str:
        said = instruction if text is None else text
        if not said.strip():
            raise InvalidArguments("There is nothing to say")
        if len(said.encode(errors="replace")) > MAX_TEXT_BYTES:
            raise TooLarge(f"What is said may have {MAX_TEXT_BYTES} bytes at a time")
        if private and to is None:
            raise InvalidArguments("What is private is said to somebody")
        if self._conversations.is_closing:
            raise Unavailable("The agent is leaving the room")
        message = IncomingMessage(
            id=segment_id or new_segment_id(),
            sender=self._me if to is None else self._sender(to),
            text=instruction,
            timestamp=int(time.time() * 1000),
            form=Form.OWN,
            private=to is not None if private is None else private,
        )
        try:
            self._conversations.of(message).speak(message, text, parts)
        except Refusal as refusal:
            raise RateLimited(refusal.sentence, retry_after=refusal.retry_after) from None
        return message.id

    def _conversation(self, to: str | None) -> Conversation:
        if to is None:
            return self._conversations.of_room
        return self._conversations.private(self._sender(to).identity)

    def _sender(self, identity: str) -> Sender:
        participant = self._room.remote_participants.get(identity)
        if participant is None or not is_person(participant):
            raise NotFound(f"{identity} is not in the room")
        return Sender(identity, participant.name)


def is_person(participant: rtc.RemoteParticipant) -> bool:
    """Whether a participant is no agent and no recorder."""
    return participant.kind in {
        rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
        rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
        rtc.ParticipantKind.PARTICIPANT_KIND_CONNECTOR,
    }
