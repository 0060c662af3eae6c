"""A participant: one session of one identity in a room."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from . import sid
from .permission import (
    grants_with_permission,
    kind_from_claim,
    may_publish,
    permission_from_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .auth import VerifiedToken
    from .room import Room
    from .signal_connection import SignalConnection

log = logging.getLogger("devserver.participant")

_DEPENDENT_KINDS = (models.ParticipantInfo.AGENT, models.ParticipantInfo.EGRESS)


class LimitExceededError(ValueError):
    """A name, metadata or attributes are larger than the server takes."""


class Participant:
    """One session of one identity in a room. Made when a client joins."""

    def __init__(
        self, room: Room, token: VerifiedToken, join: rtc.JoinRequest, signal: SignalConnection
    ) -> None:
        now = time.time()
        self.room = room
        self.server = room.server
        self.token = token
        self.signal = signal
        self.client = join.client_info
        self.auto_subscribe = join.connection_settings.auto_subscribe
        claims = token.claims
        self._video = token.video
        self.info = models.ParticipantInfo(
            sid=sid.new_sid(sid.PARTICIPANT),
            identity=token.identity,
            name=claims.name,
            state=models.ParticipantInfo.JOINING,
            metadata=join.metadata or claims.metadata,
            attributes=dict(claims.attributes or {})
            | {key: value for key, value in join.participant_attributes.items() if value},
            permission=permission_from_grants(token.video),
            kind=kind_from_claim(claims.kind),
            joined_at=int(now),
            joined_at_ms=int(now * 1000),
            version=1,
            client_protocol=join.client_info.client_protocol,
            capabilities=join.client_info.capabilities,
        )
        """What others see; it is broadcast as it is, and copied by whoever keeps it."""

    # --- who it is

    @property
    def identity(self) -> str:
        """The identity: unique in the room."""
        return self.info.identity

    @property
    def sid(self) -> str:
        """The id of this session."""
        return self.info.sid

    @property
    def permission(self) -> models.ParticipantPermission:
        """What it may do; changed by ``update``."""
        return self.info.permission

    @property
    def is_active(self) -> bool:
        """Whether its media connection is up."""
        return self.info.state == models.ParticipantInfo.ACTIVE

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent (livekit-server: IsAgent)."""
        return self.info.kind == models.ParticipantInfo.AGENT or self.permission.agent

    @property
    def is_dependent(self) -> bool:
        """Whether it only serves others: it neither counts nor keeps a room open."""
        return (
            self.info.kind in _DEPENDENT_KINDS or self.permission.agent or self.permission.recorder
        )

    # --- what the server's API does with it

    def remove(
        self,
        reason: models.DisconnectReason = models.DisconnectReason.PARTICIPANT_REMOVED,
    ) -> None:
        """Tell the client that it has to leave, and take it out of the room at once."""

    def cut(self) -> None:
        """Break its signal connection without a word, as a network that fails does."""
        self.signal.cut()

    def update(
        self,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        permission: models.ParticipantPermission | None = None,
    ) -> None:
        """Change what is given and tell everyone; an attribute of empty value is removed.

        Raises LimitExceededError, and changes nothing, if a value is too large.
        """

    def mute_track(self, track_sid: str, *, muted: bool) -> models.TrackInfo | None:
        """Mute a published track in the name of an administrator; None if there is no such track."""

    def update_subscriptions(
        self,
        track_sids: Iterable[str],
        participant_tracks: Iterable[models.ParticipantTracks] = (),
        *,
        subscribe: bool,
    ) -> None:
        """Subscribe to tracks, or stop receiving them, as the client itself could."""
