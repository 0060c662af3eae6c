"""PreConnectAudio: speech from before the agent could hear, as clients recorded it.

A client that publishes its microphone with the feature `TF_PRECONNECT_BUFFER` records from the
moment at which the microphone is open. Once an agent is active it sends the recording as a byte
stream to that agent, and goes on until somebody subscribes to the track, for 10 s at most
(livekit-client, LocalParticipant.ts; livekit-agents, voice/room_io/_pre_connect_audio.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from livekit import rtc
from livekit.rtc._proto.track_pb2 import AudioTrackFeature
from livekit.rtc.data_stream import StreamError

from agent.inbox.incoming_streams import ByteStream, ContestedError, RoomStreams
from agent.sdk.stream_record import NotKeptError
from agent.tasks import Tasks
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

TOPIC: Final = "lk.agent.pre-connect-audio-buffer"
MAX_BYTES: Final = 4 * 2**20
"""Bytes of one recording: 20 s of uncompressed stereo at 48 kHz."""

MAX_OF_ONE: Final = 2
"""Recordings of one participant that are being received, or wait for their tracks."""

LONGEST: Final = 30.0
"""Seconds that a recording may take to arrive, and that it is kept for its track."""

BEGINS_WITHIN: Final = 3.0
ENDS_WITHIN: Final = 5.0
"""Seconds that a track waits for the beginning of its recording, and for the rest. A client ends
the recording when the track is subscribed to."""

MAX_TAKEN: Final = 1_000
"""Tracks that are remembered as heard from their recordings on."""

RATES: Final = range(8_000, 192_001)
CHANNELS: Final = range(1, 9)


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound, as a client recorded it.

    Attributes:
        mime_type: such as `audio/webm;codecs=opus`; another than a container's: 16-bit PCM.
        sample_rate: of PCM, samples a second and channel.
        channels: of PCM.
    """

    data: bytes
    mime_type: str
    sample_rate: int
    channels: int


Track = tuple[str, str]
"""Identity and sid: a recording for somebody else's track is never used."""


class PreConnectAudio:
    """Receives the recordings of a room and keeps each until its track is heard, once."""

    def __init__(self, streams: RoomStreams, notices: Notices) -> None:
        self._streams = streams
        self._notices = notices
        self._arrivals: OrderedDict[Track, _Arrival] = OrderedDict()
        self._taken: OrderedDict[Track, None] = OrderedDict()
        self._tasks = Tasks()

    def open(self) -> None:
        """Registers the handler. Call it before connecting, since streams without one are lost."""
        self._streams.on_bytes(TOPIC, self._on_stream, max_kept=MAX_BYTES)

    async def aclose(self) -> None:
        self._streams.off_bytes(TOPIC)
        await self._tasks.aclose()
        self._arrivals.clear()

    def was_taken(self, identity: str, track_sid: str) -> bool:
        """Whether somebody has waited for the recording of a track before."""
        return (identity, track_sid) in self._taken

    async def take(self, identity: str, track_sid: str) -> Recording | None:
        """The recording that precedes a track's live audio; None: it did not come in time."""
        track = identity, track_sid
        self._taken[track] = None
        if len(self._taken) > MAX_TAKEN:
            self._taken.popitem(last=False)
        arrival = self._arrivals.setdefault(track, _Arrival())
        try:
            async with asyncio.timeout(BEGINS_WITHIN):
                await arrival.begun.wait()
            async with asyncio.timeout(ENDS_WITHIN):
                await arrival.ended.wait()
        except TimeoutError:
            logger.warning("pre-connect audio did not arrive; ignoring it")
        finally:
            self._arrivals.pop(track, None)
        return arrival.recording

    def _on_stream(self, stream: ByteStream, identity: str) -> None:
        attributes = stream.info.attributes or {}
        track = identity, attributes.get("trackId", "")
        try:
            rate = _number(attributes, "sampleRate", RATES)
            channels = _number(attributes, "channels", CHANNELS)
            arrival = self._begun(track)
        except Refusal as refusal:
            stream.close()
            self._notices.refuse(identity, refusal, stream.info.stream_id)
            return
        self._tasks.start(
            self._receive(stream, track, arrival, rate, channels), name="pre-connect audio"
        )

    def _begun(self, track: Track) -> _Arrival:
        """Raises Refusal."""
        identity, track_sid = track
        if not track_sid:
            raise Refusal(400, "The recording names no track.")
        arrival = self._arrivals.get(track)
        if arrival is None:
            if track in self._taken:
                raise Refusal(409, "The track is being heard already.")
            if sum(owner == identity for owner, _ in self._arrivals) >= MAX_OF_ONE:
                raise Refusal(429, "Too many recordings at once.", retry_after=1.0)
            arrival = self._arrivals[track] = _Arrival()
        elif arrival.begun.is_set():
            raise Refusal(409, "The track has a recording already.")
        arrival.begun.set()
        return arrival

    async def _receive(
        self, stream: ByteStream, track: Track, arrival: _Arrival, rate: int, channels: int
    ) -> None:
        try:
            async with asyncio.timeout(LONGEST):
                data = await _content(stream)
            arrival.recording = Recording(data, stream.info.mime_type, rate, channels)
        except Refusal as refusal:
            self._notices.refuse(track[0], refusal, stream.info.stream_id)
        except (StreamError, NotKeptError, TimeoutError) as error:
            logger.info("pre-connect audio is incomplete: %s", error)
        finally:
            stream.close()
            arrival.ended.set()
        # Nobody can have taken it before its end.
        await asyncio.sleep(LONGEST)
        if self._arrivals.get(track) is arrival:
            del self._arrivals[track]


class _Arrival:
    """A recording that is being received."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.recording: Recording | None = None


async def _content(stream: ByteStream) -> bytes:
    """All of a stream. Raises Refusal, StreamError or NotKeptError."""
    data = bytearray()
    with contextlib.suppress(ContestedError):
        async for piece in stream:
            data += piece
            if len(data) > MAX_BYTES:
                raise Refusal(413, f"A recording may have {MAX_BYTES} bytes.")
        return bytes(data)
    return await stream.content(LONGEST)


def _number(attributes: Mapping[str, str], name: str, bounds: range) -> int:
    """An attribute that is a whole number within bounds. Raises Refusal."""
    text = attributes.get(name, "")
    # `isdigit` is not enough: int() accepts digits of all scripts, and refuses superscripts.
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if value not in bounds:
        raise Refusal(400, f"The recording needs {name} from {bounds[0]} to {bounds[-1]}.")
    return value


def precedes(publication: rtc.RemoteTrackPublication) -> bool:
    """Whether a client sends a recording of earlier speech for this track."""
    return AudioTrackFeature.TF_PRECONNECT_BUFFER in publication.audio_features
