"""Attributes of the text and byte streams that the agent reads and writes.

The `lk.` names are LiveKit's (livekit-agents `types.py`, components-js `packages/core`); the others
are this agent's own. Docs: docs/wire-contract.md.
"""

from typing import Final

from agent.contract.packets import QuestionFields

SCOPE: Final = "scope"
"""`private` or `room`: who a message and its answer are for."""

ACK: Final = "ack"
"""`stored`: the sender of a message asks for a notice when it is stored."""

STORED: Final = "stored"
PRIVATE: Final = "private"
ROOM: Final = "room"

SEGMENT_ID: Final = "lk.segment_id"
"""The id of an answer; each of its streams carries it."""

POSITION: Final = "position"
"""Position of an answer in its thread: clients sort messages by it, and it never changes."""


def position_attribute(position: int | None) -> dict[str, str]:
    """The attribute of a position; none if that is not known."""
    return {} if position is None else {POSITION: str(position)}


TRANSCRIPTION_FINAL: Final = "lk.transcription_final"
TRANSCRIBED_TRACK: Final = "lk.transcribed_track_id"

AGENT: Final = "agent"
"""The name of the agent of the app that begins an answer, if there are several."""


def agent_attribute(agent: str | None) -> dict[str, str]:
    """The attribute of an agent's name; none if there is only one agent."""
    return {} if agent is None else {AGENT: agent}


def question_attributes(question: tuple[str, str] | None) -> dict[str, str]:
    """The attributes that name an answer's question, by its sender and id; none for an unasked
    answer."""
    if question is None:
        return {}
    sender, message_id = question
    return {"in_reply_to": message_id, "in_reply_to_sender": sender}


def question_fields(question: tuple[str, str] | None) -> QuestionFields:
    """The same in a packet."""
    if question is None:
        return {}
    sender, message_id = question
    return {"inReplyTo": message_id, "inReplyToSenderId": sender}
