"""A participant: one session of one identity in a room."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from devserver.data.server_rpc import ServerRpc
from devserver.media.connections import Connections
from devserver.rooms.client import Client
from devserver.rooms.data_tracks import DataTracks
from devserver.rooms.participant_info import check_limits, merge_attributes, participant_info
from devserver.rooms.permission import grants_with_permission, is_dependent
from devserver.rooms.publications import Publications
from devserver.rooms.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from devserver.auth import VerifiedToken
    from devserver.media.track import PublishedTrack, TrackSubscriber
    from devserver.rooms.participant_room import ParticipantRoom
    from devserver.rooms.signal import Signal

log = logging.getLogger("devserver.rooms")

_LEAVE_GRACE_SECONDS = 0.5


class Participant:
    """One session of one identity in a room. Made when a client joins."""

    def __init__(
        self,
        room: ParticipantRoom[Participant],
        token: VerifiedToken,
        join: rtc.JoinRequest,
        signal: Signal,
        *,
        two_connections: bool = False,
    ) -> None:
        self.room = room
        self.context = room.context
        self.token = token
        self.signal = signal
        self.client = Client(join.client_info)
        self.auto_subscribe = join.connection_settings.auto_subscribe
        self.adaptive_stream = join.connection_settings.adaptive_stream
        self._video = token.video
        self.info = participant_info(token, join, self.client)
        """The public info; it is broadcast without a copy, so copy it before you keep it."""
        self.was_active = False
        """Whether its media connection was ever up."""
        self.publications = Publications(self)
        """The tracks it announced; those that are negotiated are in ``info.tracks``."""
        self.subscriptions = Subscriptions(self)
        self.data_tracks = DataTracks(
            self, auto_subscribe=join.connection_settings.auto_subscribe_data_track
        )
        """The data tracks that it publishes and receives."""
        self.connection = Connections(
            self,
            self.context.limits,
            self.context.faults,
            receive_frame=self.data_tracks.receive,
            two=two_connections,
            subscriber_primary=self.client.expects_offers and self.permission.can_subscribe,
        )
        self.server_rpc = ServerRpc(self)
        """Calls that the server's API makes to it."""
        self.last_sequence = 0
        """Sequence number of the last reliable packet that it sent."""
        self._leave_timer: asyncio.TimerHandle | None = None

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
        """The current permissions; changed by ``update``."""
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
    def is_recorder(self) -> bool:
        """Whether it records the room (livekit-server: IsRecorder)."""
        return self.info.kind == models.ParticipantInfo.EGRESS or self.permission.recorder

    @property
    def is_dependent(self) -> bool:
        """Whether it only serves others: it neither counts nor keeps a room open."""
        return is_dependent(self.info.kind, self.permission)

    @property
    def closed(self) -> bool:
        """Whether it has left."""
        return self.info.state == models.ParticipantInfo.DISCONNECTED

    # --- messages to the client

    def send(self, response: rtc.SignalResponse) -> None:
        """Send ``response`` to the client, unless the client is too old for it."""
        if self.client.understands(response):
            self.signal.send(response)

    # --- what the server's API does with it

    def remove(
        self,
        reason: models.DisconnectReason = models.DisconnectReason.PARTICIPANT_REMOVED,
        *,
        action: rtc.LeaveRequest.Action = rtc.LeaveRequest.DISCONNECT,
    ) -> None:
        """Tell the client to leave, or to come back, and take it out of the room at once."""
        if self.closed:
            return
        self.send(rtc.SignalResponse(leave=self.client.leave(reason, action)))
        self._close(reason)

    def drop(self, reason: models.DisconnectReason) -> None:
        """Take it out of the room without a message, as when the node that has it fails."""
        if not self.closed:
            self._close(reason)

    def cut(self) -> None:
        """Break its signal connection without a close frame, as a failing network does."""
        self.signal.cut()

    def update(
        self,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        permission: models.ParticipantPermission | None = None,
    ) -> None:
        """Change the given values and notify everyone; an attribute with an empty value is removed.

        Updates are sent for name, metadata and attributes, in this order.

        Raises LimitExceededError, and changes nothing, if a value is too large.
        """
        check_limits(self.context.limits, name, metadata, attributes or {})
        if name and name != self.info.name:
            self.info.name = name
            self._tell_change()
        if metadata and metadata != self.info.metadata:
            self.info.metadata = metadata
            self._tell_change()
        if attributes:
            merge_attributes(self.info, attributes)
            self._tell_change()
        if permission is not None and permission != self.permission:
            self._set_permission(permission)
            self.send_token()

    def _tell_change(self) -> None:
        self.room.announce(self, at_once=True)
        self.room.counts_changed()
        self.send_token()

    def mute_track(self, track_sid: str, *, muted: bool) -> models.TrackInfo | None:
        """Mute a track in the name of an administrator; None if there is no such track."""
        self.send(rtc.SignalResponse(mute=rtc.MuteTrackRequest(sid=track_sid, muted=muted)))
        return self.publications.mute(track_sid, muted=muted)

    def update_subscriptions(
        self,
        track_sids: Iterable[str],
        participant_tracks: Iterable[models.ParticipantTracks] = (),
        *,
        subscribe: bool,
    ) -> None:
        """Subscribe to tracks, or stop receiving them, as the client itself could."""
        self.subscriptions.update(track_sids, participant_tracks, subscribe=subscribe)
        self.connection.reconcile_subscriptions()

    def room_tracks(self) -> Iterator[PublishedTrack]:
        """Return every announced track in the room, oldest publisher first."""
        for participant in self.room.participants.values():
            yield from participant.publications

    def subscribed_to(self, track: PublishedTrack) -> None:
        """Tell the publisher of ``track`` that it has a subscriber."""
        track.publisher.send(
            rtc.SignalResponse(track_subscribed=rtc.TrackSubscribed(track_sid=track.sid))
        )
        self.room.heard(self, track.publisher.sid)

    def heard_sids(self) -> set[str]:
        """Return the sids of those whose tracks it receives."""
        return {track.publisher.sid for track in self.connection.subscriptions()}

    def score_streams(self) -> list[float]:
        """Score, from 0 to 100, how each of its tracks has arrived since the last call."""
        published = [track.score() for track in self.publications if track.is_published]
        return published + self.connection.scores()

    # --- what it publishes

    def allows(self, track_sid: str, subscriber: TrackSubscriber) -> bool:
        """Whether it lets ``subscriber`` have a track."""
        return self.publications.allows(track_sid, subscriber)

    def track_published(self, track: PublishedTrack) -> None:
        """Tell everyone about a track whose media section is negotiated."""
        self.info.is_publisher = True
        self._list_tracks()
        self.room.track_published(self, track)

    def track_ended(self, track: PublishedTrack, *, was_published: bool) -> None:
        """Stop receiving ``track``, and tell everyone who knew of it."""
        self.connection.end_publication(track)
        if was_published:
            self._list_tracks()
            self.room.track_unpublished(self, track)

    def announce_tracks(self) -> None:
        """Tell everyone how the tracks are now."""
        self._list_tracks()
        self.room.announce(self)
        self.room.counts_changed()

    def others_data_tracks(self) -> Iterator[DataTracks]:
        """Return the data tracks of everyone else in the room."""
        yield from (p.data_tracks for p in self.room.participants.values() if p is not self)

    def track_permissions_changed(self) -> None:
        """Let the others start and stop receiving, as is now permitted."""
        self.room.reconcile_subscriptions(self)

    def _list_tracks(self) -> None:
        del self.info.tracks[:]
        self.info.tracks.extend(self.publications.infos())

    # --- data

    def receive_data(self, data: bytes, kind: models.DataPacket.Kind) -> None:
        """Handle the client's data on a data channel."""
        if not self.closed:
            self.room.receive_data(self, data, kind)

    def send_data(self, data: bytes, kind: models.DataPacket.Kind, *, sequenced: bool) -> bool:
        """Send a packet to the client; return whether it is on its way.

        Before the connection is up only reliable packets that SDKs number wait for it, as in
        livekit-server (pkg/rtc/participant.go, SendDataMessage).
        """
        waits = sequenced and kind == models.DataPacket.RELIABLE
        if not self.connection.is_reachable and not waits:
            return False
        return self.connection.data.send(data, kind)

    def send_from_server(self, packet: models.DataPacket) -> None:
        """Send the client a packet of the server's own, through the room."""
        self.room.send_data(packet, models.DataPacket.RELIABLE)

    def is_next(self, sequence: int) -> bool:
        """Whether a reliable packet of this number is new, not a repetition."""
        if sequence <= self.last_sequence:
            return False
        self.last_sequence = sequence
        return True

    # --- its connection

    def send_token(self) -> None:
        """Send a token that lets the client come back with its current info."""
        claims = dataclasses.replace(
            self.token.claims,
            name=self.info.name,
            metadata=self.info.metadata,
            attributes=dict(self.info.attributes),
            video=self._video,
        )
        self.send(
            rtc.SignalResponse(
                refresh_token=self.context.auth.refresh(
                    self.identity, claims, self.token.expires_at
                )
            )
        )

    def join_timed_out(self) -> None:
        """Note that the time for bringing up the media connection is over."""
        if not self.was_active:
            self.remove(models.DisconnectReason.JOIN_FAILURE)

    def connected(self) -> None:
        """Note that the media connection is up."""
        if self.info.state not in (models.ParticipantInfo.JOINING, models.ParticipantInfo.JOINED):
            return
        self.info.state = models.ParticipantInfo.ACTIVE
        self.was_active = True
        self.room.joined(self)
        self.connection.reconcile()
        self.data_tracks.subscribe_to_existing()

    def disconnected(self) -> None:
        """Note that the media connection is lost: the client is gone.

        A client that leaves closes it and sends a leave request on the signal connection, which may
        arrive later: that is waited for.
        """
        if self.closed or self._leave_timer is not None:
            return
        self._leave_timer = asyncio.get_running_loop().call_later(
            _LEAVE_GRACE_SECONDS, self.remove, models.DisconnectReason.CONNECTION_TIMEOUT
        )

    def negotiation_failed(self, reason: str) -> None:
        """Let the client join again: its connections are in a state that it cannot leave."""
        if self.closed:
            return
        log.warning("%s has to join again: %s", self.identity, reason)
        self.remove(models.DisconnectReason.STATE_MISMATCH, action=rtc.LeaveRequest.RECONNECT)

    def signal_closed(self) -> None:
        """Note that the signal connection is lost: a participant that never had media leaves with
        it."""
        if not self.was_active and not self.closed:
            self._close(models.DisconnectReason.SIGNAL_CLOSE)

    def _close(self, reason: models.DisconnectReason) -> None:
        if self._leave_timer is not None:
            self._leave_timer.cancel()
        self.publications.end_all()
        self.data_tracks.close()
        self.info.state = models.ParticipantInfo.DISCONNECTED
        self.info.disconnect_reason = reason
        self.server_rpc.close()
        self.signal.close()
        self.room.release(self)
        self.context.tasks.start(self.connection.close(), name="close a peer connection")

    def _set_permission(self, permission: models.ParticipantPermission) -> None:
        self._video = grants_with_permission(self._video, permission)
        self.info.permission.CopyFrom(permission)
        # pkg/rtc/participant.go, SetPermission
        self.info.is_publisher = permission.can_publish and self.connection.publisher_is_established
        self.publications.revoke(permission)
        self.data_tracks.revoke()
        self.room.announce(self, at_once=True)
        self.room.counts_changed()
        self.connection.reconcile_subscriptions()
        self.data_tracks.reconcile()
