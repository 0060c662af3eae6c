"""Active speakers of a room: sent to those who hear them."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from devserver.media.audio_level import INTERVAL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from devserver.rooms.participant import Participant

_STEPS = 8


class Speakers:
    """Sends changes of the speakers (livekit-server: pkg/rtc/room.go, audioUpdateWorker).

    It runs while somebody publishes sound.
    """

    def __init__(self, participants: Callable[[], Iterable[Participant]]) -> None:
        self._participants = participants
        self._active: dict[str, models.SpeakerInfo] = {}
        """By the participant's sid: the speakers, as they were sent last."""
        self._round: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Listen from now on."""
        if self._round is None:
            loop = asyncio.get_running_loop()
            self._round = loop.call_later(INTERVAL_SECONDS, self._tell_changes)

    def close(self) -> None:
        """Stop sending updates."""
        if self._round is not None:
            self._round.cancel()
            self._round = None

    def tell_about(self, speaker_sid: str, listener: Participant) -> None:
        """Notify ``listener``, who begins to hear a speaker, if the speaker is active."""
        active = self._active.get(speaker_sid)
        if active is not None:
            _send(listener, [active])

    def _tell_changes(self) -> None:
        self._round = None
        now: dict[str, models.SpeakerInfo] = {}
        publishers = [p for p in self._participants() if p.publications.has_audio]
        for publisher in publishers:
            loudness = publisher.publications.loudness()
            if loudness > 0:
                level = math.ceil(loudness * _STEPS) / _STEPS
                now[publisher.sid] = models.SpeakerInfo(sid=publisher.sid, level=level, active=True)
        changes = [each for sid, each in now.items() if each != self._active.get(sid)]
        changes += [models.SpeakerInfo(sid=sid) for sid in self._active if sid not in now]
        self._active = now
        if changes:
            changes.sort(key=lambda each: -each.level)
            for listener in self._participants():
                heard = {listener.sid, *listener.heard_sids()}
                _send(listener, [each for each in changes if each.sid in heard])
        if publishers or now:
            self.start()


def _send(listener: Participant, speakers: list[models.SpeakerInfo]) -> None:
    if speakers and listener.is_active:
        listener.send(rtc.SignalResponse(speakers_changed=rtc.SpeakersChanged(speakers=speakers)))
