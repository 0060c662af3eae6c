"""Announcements: which participants of a room learn of a participant, and when."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from devserver.rooms.participant import Participant


@dataclass(frozen=True, slots=True)
class _Update:
    info: models.ParticipantInfo
    replaced: bool
    """Whether another session has taken the identity over."""


class Announcements:
    """Sends everybody in a room the current info of a participant.

    A participant that has published nothing is announced in rounds, ``interval`` seconds apart, and
    only as it is then; one that publishes is announced at once, and so is a change of its metadata
    or permissions (pkg/rtc/room.go, PushAndDequeueUpdates). An interval of 0 has no rounds.
    """

    def __init__(self, interval: float, receivers: Callable[[], Iterable[Participant]]) -> None:
        self._interval = interval
        self._receivers = receivers
        self._waiting: dict[str, _Update] = {}
        """By identity: the participants to announce in the next round."""
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._round: asyncio.TimerHandle | None = None

    def tell(self, participant: Participant, *, at_once: bool, to_itself: bool) -> None:
        """Announce ``participant``; a hidden one to itself only."""
        info = models.ParticipantInfo()
        info.CopyFrom(participant.info)
        if participant.permission.hidden:
            if to_itself:
                _send([participant], [info])
            return
        replaced = info.disconnect_reason == models.DisconnectReason.DUPLICATE_IDENTITY
        due = self._due(_Update(info, replaced), at_once=at_once)
        if due:
            skipped = None if to_itself or self._interval else participant
            self._broadcast(due, but=skipped)
        elif to_itself:
            _send([participant], [info])

    def close(self) -> None:
        """Announce nobody who still waits for a round."""
        if self._round is not None:
            self._round.cancel()
        self._waiting.clear()

    def _due(self, update: _Update, *, at_once: bool) -> list[_Update]:
        """Return the updates to send now: none if ``update`` waits for the next round."""
        former = self._waiting.pop(update.info.identity, None)
        due: list[_Update] = []
        if former is not None and former.info.sid != update.info.sid:
            former.info.state = models.ParticipantInfo.DISCONNECTED
            due.append(_Update(former.info, replaced=True))
        if due or at_once or update.info.is_publisher or not self._interval:
            return [*due, update]
        self._waiting[update.info.identity] = update
        if self._round is None:
            rounds = math.floor((self._loop.time() - self._started) / self._interval) + 1
            at = self._started + rounds * self._interval
            self._round = self._loop.call_at(at, self._begin_round)
        return []

    def _begin_round(self) -> None:
        self._round = None
        updates = list(self._waiting.values())
        self._waiting.clear()
        if updates:
            self._broadcast(updates, but=None)

    def _broadcast(self, updates: list[_Update], *, but: Participant | None) -> None:
        """Clients that recognize a session's successor by its identity get only the new one."""
        current = [update.info for update in updates if not update.replaced]
        everything = [update.info for update in updates]
        receivers = [receiver for receiver in self._receivers() if receiver is not but]
        _send([r for r in receivers if r.client.knows_successors], current)
        _send([r for r in receivers if not r.client.knows_successors], everything)


def _send(receivers: Iterable[Participant], infos: list[models.ParticipantInfo]) -> None:
    if not infos:
        return
    update = rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=infos))
    for receiver in receivers:
        receiver.send(update)
