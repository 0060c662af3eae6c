"""Transcription packets, as clients read them that know no `lk.transcription` streams.

livekit-agents sends them besides the streams (voice/room_io/_output.py), and LiveKit's components
show them: `useVoiceAssistant().agentTranscriptions` and `useTrackTranscription` read nothing else.
A packet has a segment of a track's transcription as it is now, under an id that stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from livekit import rtc

from agent.sdk.client_protocol import client_protocol
from agent.sdk.native_sending import begin_transcription
from agent.wire.envelope import ENVELOPE_BYTES, MAX_PACKET_BYTES, split_text

STREAMS_PROTOCOL: Final = 3
"""client_protocol from which on a client makes transcriptions of the streams
(livekit-agents, types.py, CLIENT_PROTOCOL_TRANSCRIPTION_STREAMS)."""

MAX_TEXT_BYTES: Final = MAX_PACKET_BYTES - ENVELOPE_BYTES
"""Bytes of a segment; a longer text continues in further ones."""

_ON_BEHALF: Final = "lk.publish_on_behalf"


def is_needed(room: rtc.Room) -> bool:
    """Whether anybody in the room may read them: only people, by livekit-agents' rule. A packet
    goes to everybody."""
    me = room.local_participant.identity
    return any(
        participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
        and client_protocol(participant) < STREAMS_PROTOCOL
        and participant.attributes.get(_ON_BEHALF) != me
        for participant in room.remote_participants.values()
    )


def segments(segment_id: str, text: str) -> list[rtc.TranscriptionSegment]:
    """A whole text; past MAX_TEXT_BYTES in further segments, whose ids end in `.1` and so on."""
    parts = split_text(text, MAX_TEXT_BYTES)
    return [segment(segment_id, number, part, is_final=True) for number, part in enumerate(parts)]


def segment(segment_id: str, number: int, text: str, *, is_final: bool) -> rtc.TranscriptionSegment:
    """One segment of a text; `number` counts from 0."""
    return rtc.TranscriptionSegment(
        id=f"{segment_id}.{number}" if number else segment_id,
        text=text,
        start_time=0,
        end_time=0,
        language="",
        final=is_final,
    )


async def publish(
    room: rtc.Room, identity: str, track_sid: str, segments: Sequence[rtc.TranscriptionSegment]
) -> None:
    """Sends each segment in a packet, if anybody needs them.

    Args:
        identity: who said it, into the track.

    Raises:
        rtc.participant.PublishTranscriptionError: the SDK could not send it.
        AssertionError: the room is gone.
    """
    if not is_needed(room):
        return
    for each in segments:
        await begin_transcription(room, identity, track_sid, [each]).settled()
