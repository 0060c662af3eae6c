"""VoiceSwitch: turns a room's voice on and off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from livekit import rtc

from agent.chat.voice import Voice
from agent.config.setting_types import VoicePolicy
from agent.tasks import Tasks
from agent.wire.notices import Notices

logger = logging.getLogger(__name__)

VOICE_FAILED = "voice.failed"
"""Event of the notices about hearing and speaking."""

COMES_BACK_WITHIN = 3.0
"""Seconds that a room goes on hearing and speaking after the last microphone has gone."""

_FAILURES = {
    "stt": "What was said could not be understood right now. Please say it again, or write.",
    "tts": "The agent cannot speak right now; its answer is in writing.",
}
_NOT_STARTED = "The agent can neither hear nor speak right now. Please write to it."


class VoiceSwitch:
    """Opens the room's voice with the first microphone of a person, and closes it soon after the
    last.

    Also a voice that is always on is closed when everybody has left: of a room that the server
    ends while the agent has a track, the native library keeps that, with a thread (rust-sdks issue
    1443).

    Args:
        open_voice: makes a voice that is not open yet; it reports failures as `stt` or `tts`.
        set_voice: gives the conversation a voice, or takes it away.
        set_deaf: called when a microphone cannot be heard yet, and again when it can be, or never
            will.
    """

    def __init__(
        self,
        room: rtc.Room,
        policy: VoicePolicy,
        notices: Notices,
        *,
        open_voice: Callable[[Callable[[str], None]], Awaitable[Voice]],
        set_voice: Callable[[Voice | None], Awaitable[None]],
        set_deaf: Callable[[bool], None],
    ) -> None:
        self._room = room
        self._policy = policy
        self._notices = notices
        self._open_voice = open_voice
        self._set_voice = set_voice
        self._set_deaf = set_deaf
        self._voice: Voice | None = None
        self._only: str | None = None
        self._is_deserted = False
        self._changed = asyncio.Event()
        self._tasks = Tasks()

    @property
    def is_off(self) -> bool:
        """Whether the room never hears or speaks."""
        return self._policy == "off"

    @property
    def track_sid(self) -> str | None:
        """The agent's audio track, while there is one."""
        return None if self._voice is None else self._voice.track_sid

    @property
    def is_listening(self) -> bool:
        """Whether somebody is being listened to."""
        return self._voice is not None and self._voice.is_listening

    def start(self) -> None:
        """Starts to look for microphones. Call it once connected."""
        if self.is_off:
            return
        self._room.on("track_published", self._on_change)
        self._room.on("track_unpublished", self._on_change)
        self._room.on("participant_connected", self._on_joined)
        self._room.on("participant_disconnected", self._on_left)
        self._room.on("connection_state_changed", self._on_change)
        self._tasks.keep(self._follow, name="voice")

    @property
    def only(self) -> str | None:
        """The only participant that it listens to; None: everybody."""
        return self._only

    def listen_to(self, identity: str | None) -> None:
        """Listens to one participant only, until they leave; None: to everybody."""
        self._only = identity
        if self._voice is not None:
            self._voice.listen_to(identity)

    async def aclose(self) -> None:
        """Closes the voice; the conversation has ended."""
        await self._tasks.aclose()
        if self._voice is not None:
            await self._voice.aclose()
            self._voice = None

    async def _follow(self) -> None:
        self._changed.set()
        while True:
            await self._until_change()
            try:
                if self._is_wanted() and self._voice is None:
                    self._set_deaf(self._has_microphone())
                    self._voice = await self._opened()
                elif not self._is_wanted() and self._voice is not None:
                    # A person who left in mid-sentence has still been heard.
                    await self._voice.until_free()
                    if await self._is_over():
                        await self._set_voice(None)
                        await self._voice.aclose()
                        self._voice = None
            except Exception:
                # The boundary around one room's voice: the room continues in writing, and the next
                # microphone triggers another attempt.
                logger.exception("voice failed; the room continues in writing")
                self._notices.tell(None, VOICE_FAILED, _NOT_STARTED)
            finally:
                self._set_deaf(False)

    async def _until_change(self) -> None:
        """Returns after a change, and not while the room reconnects.

        The SDK then publishes the agent's tracks itself; one that is taken back meanwhile can leave
        the connection without sound, in both directions.
        """
        await self._changed.wait()
        while self._is_reconnecting():
            self._changed.clear()
            await self._changed.wait()
        self._changed.clear()

    async def _is_over(self) -> bool:
        """Waits whether somebody comes back with a microphone, such as after a reconnection; True
        if nobody does."""
        try:
            async with asyncio.timeout(COMES_BACK_WITHIN):
                while not self._is_wanted():
                    await self._changed.wait()
                    self._changed.clear()
        except TimeoutError:
            return not self._is_reconnecting()
        return False

    def _is_reconnecting(self) -> bool:
        return self._room.connection_state == rtc.ConnectionState.CONN_RECONNECTING

    async def _opened(self) -> Voice:
        voice = await self._open_voice(self._on_failure)
        try:
            await voice.open()
            voice.listen_to(self._only)
            await self._set_voice(voice)
        except BaseException:
            await voice.aclose()
            raise
        return voice

    def _on_failure(self, part: str) -> None:
        self._notices.tell(None, VOICE_FAILED, _FAILURES[part], part=part)

    def _is_wanted(self) -> bool:
        if self._policy == "on":
            return not self._is_deserted
        return self._has_microphone()

    def _has_microphone(self) -> bool:
        return any(
            publication.source == rtc.TrackSource.SOURCE_MICROPHONE
            for participant in self._people()
            for publication in participant.track_publications.values()
        )

    def _people(self) -> list[rtc.RemoteParticipant]:
        return [
            participant
            for participant in self._room.remote_participants.values()
            if participant.kind != rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        ]

    def _on_change(self, *_: object) -> None:
        self._changed.set()

    def _on_joined(self, _: rtc.RemoteParticipant) -> None:
        if self._people():
            self._is_deserted = False
        self._changed.set()

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self._only:
            self.listen_to(None)
        self._is_deserted = not self._people()
        self._changed.set()
