"""Quality of everyone's connection: sent in rounds, to those who hear or see each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit.protocol import rtc

from devserver.media import loss_score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from devserver.rooms.participant import Participant

_INTERVAL_SECONDS = 5.0


class QualityUpdates:
    """Sends changes of quality (livekit-server: pkg/rtc/room.go, connectionQualityWorker).

    There is a round after somebody joined, and further ones while somebody publishes.
    """

    def __init__(self, participants: Callable[[], Iterable[Participant]]) -> None:
        self._participants = participants
        self._told: dict[str, rtc.ConnectionQualityInfo] = {}
        self._round: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start a round soon."""
        if self._round is None:
            loop = asyncio.get_running_loop()
            self._round = loop.call_later(_INTERVAL_SECONDS, self._tell_changes)

    def close(self) -> None:
        """Stop sending updates."""
        if self._round is not None:
            self._round.cancel()
            self._round = None

    def tell_about(self, publisher_sid: str, receiver: Participant) -> None:
        """Send ``receiver``, who begins to hear or see a publisher, the quality of the publisher's
        connection."""
        info = self._told.get(publisher_sid)
        if info is not None:
            _send(receiver, [info])

    def _tell_changes(self) -> None:
        self._round = None
        active = [each for each in self._participants() if each.is_active]
        now = {each.sid: _info(each) for each in active}
        changed = any(
            sid not in self._told or info.quality != self._told[sid].quality
            for sid, info in now.items()
        )
        self._told = now
        if changed:
            for receiver in active:
                known = {receiver.sid, *receiver.heard_sids()}
                _send(receiver, [info for sid, info in now.items() if sid in known])
        if any(len(each.publications) for each in active):
            self.start()


def _info(participant: Participant) -> rtc.ConnectionQualityInfo:
    score = min(participant.score_streams(), default=loss_score.BEST)
    return rtc.ConnectionQualityInfo(
        participant_sid=participant.sid,
        quality=loss_score.quality(score),
        score=loss_score.opinion(score),
    )


def _send(receiver: Participant, infos: list[rtc.ConnectionQualityInfo]) -> None:
    update = rtc.ConnectionQualityUpdate(updates=infos)
    receiver.send(rtc.SignalResponse(connection_quality=update))
