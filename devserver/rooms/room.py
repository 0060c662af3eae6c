"""A room: its participants, the updates that they get, and the room's end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from devserver import sid
from devserver.media.codecs import FORWARDED
from devserver.rooms.announcements import Announcements
from devserver.rooms.count_updates import CountUpdates
from devserver.rooms.forwarder import Forwarder
from devserver.rooms.quality_updates import QualityUpdates
from devserver.rooms.speakers import Speakers

if TYPE_CHECKING:
    from livekit.protocol import agent_dispatch
    from livekit.protocol import room as room_proto

    from devserver.media.track import PublishedTrack
    from devserver.rooms.participant import Participant
    from devserver.rooms.room_context import RoomContext
    from devserver.rooms.room_events import RoomEvents


class Room:
    """A room of a server. Made by ``RoomRegister.get_or_create``."""

    def __init__(
        self,
        context: RoomContext,
        request: room_proto.CreateRoomRequest,
        events: RoomEvents[Room, Participant],
    ) -> None:
        now = time.time()
        self.context = context
        self._events = events
        self.info = models.Room(
            sid=sid.new_sid(sid.ROOM),
            name=request.name,
            empty_timeout=request.empty_timeout or context.empty_timeout,
            departure_timeout=request.departure_timeout or context.departure_timeout,
            max_participants=request.max_participants,
            creation_time=int(now),
            creation_time_ms=int(now * 1000),
            metadata=request.metadata,
            turn_password=sid.new_secret(),
            enabled_codecs=[models.Codec(mime=mime) for mime in FORWARDED],
        )
        """The room as clients and RoomService see it; its counts lag by ``context.delays``."""
        self.agents: tuple[agent_dispatch.RoomAgentDispatch, ...] = tuple(request.agents)
        """The agents that the room was created with, by CreateRoom or by a token."""
        self.participants: dict[str, Participant] = {}
        """Everyone in the room by identity, in the order of joining."""
        self.dispatches: dict[str, agent_dispatch.AgentDispatch] = {}
        """Agent dispatches by id; Dispatcher maintains them."""
        self.closed = False
        self._forwarder = Forwarder(self.name, self.participants, context.packets)
        self._announcements = Announcements(context.delays.announcements, self.participants.values)
        self._count_updates = CountUpdates(context.delays.counts, self._refresh_info)
        self._speakers = Speakers(self.participants.values)
        self._qualities = QualityUpdates(self.participants.values)
        self._expiry = asyncio.get_running_loop().call_later(self.info.empty_timeout, self.close)
        self._ever_joined = False
        self._told_info = self.info.SerializeToString(deterministic=True)

    @property
    def name(self) -> str:
        """The name by which the room is found."""
        return self.info.name

    # --- who is in it

    def by_sid(self, participant_sid: str) -> Participant | None:
        """Return the participant with this session id, if it is in the room."""
        return next((p for p in self.participants.values() if p.sid == participant_sid), None)

    def others(self, participant: Participant) -> list[Participant]:
        """Everyone but ``participant``."""
        return [other for other in self.participants.values() if other is not participant]

    @property
    def is_full(self) -> bool:
        """Whether the room has as many participants as it may; agents do not count."""
        limit = self.info.max_participants
        return limit > 0 and self._count() >= limit

    def admit(self, participant: Participant) -> None:
        """Take ``participant`` in."""
        self.participants[participant.identity] = participant
        if not participant.is_dependent:
            self._ever_joined = True
        self._membership_changed(participant)
        self._events.participant_admitted(self, participant)

    def joined(self, participant: Participant) -> None:
        """Note that the media connection of ``participant`` is up."""
        self.announce(participant)
        self._qualities.start()
        self._events.participant_joined(self, participant)

    def release(self, participant: Participant) -> None:
        """Remove ``participant`` and notify the others."""
        if self.participants.get(participant.identity) is not participant:
            return
        del self.participants[participant.identity]
        self.announce(participant)
        self._membership_changed(participant)
        if participant.was_active:
            self._events.participant_left(self, participant)
        else:
            self._events.participant_connection_aborted(self, participant)

    # --- what they publish

    def track_published(self, publisher: Participant, track: PublishedTrack) -> None:
        """Tell everyone about a track whose media section is negotiated."""
        self.announce(publisher)
        self.counts_changed()
        self._qualities.start()
        if track.kind == "audio":
            self._speakers.start()
        for other in self.others(publisher):
            other.connection.reconcile()
        self._events.track_published(self, publisher, track.info)

    def track_unpublished(self, publisher: Participant, track: PublishedTrack) -> None:
        """Tell everyone that a track has ended."""
        self.announce(publisher)
        for other in self.others(publisher):
            other.connection.end_subscription(track)
            other.connection.reconcile()
        self._events.track_unpublished(self, publisher, track.info)

    def heard(self, listener: Participant, publisher_sid: str) -> None:
        """Tell ``listener``, who begins to receive from a publisher, how that one is."""
        self._speakers.tell_about(publisher_sid, listener)
        self._qualities.tell_about(publisher_sid, listener)

    def reconcile_subscriptions(self, publisher: Participant) -> None:
        """Let the others start and stop receiving, as ``publisher`` now permits."""
        for other in self.others(publisher):
            other.connection.reconcile_subscriptions()
            other.data_tracks.reconcile()

    # --- updates to participants

    def announce(
        self, participant: Participant, *, to_itself: bool = True, at_once: bool = False
    ) -> None:
        """Tell everyone how ``participant`` is now, when the server's timing has it or at once."""
        participant.info.version += 1
        self._announcements.tell(participant, at_once=at_once, to_itself=to_itself)

    def set_metadata(self, metadata: str) -> None:
        """Change the room's metadata and tell everyone, if it is another."""
        self.info.metadata = metadata
        self._count_updates.now()

    def broadcast_info(self) -> None:
        """Tell everyone how the room is now."""
        update = rtc.SignalResponse(room_update=rtc.RoomUpdate(room=self.info))
        for receiver in self.participants.values():
            receiver.send(update)

    def send_data(self, packet: models.DataPacket, kind: models.DataPacket.Kind) -> None:
        """Send ``packet`` without a sender to its destinations, or to everyone."""
        self._forwarder.send(packet, kind, None)

    def receive_data(self, sender: Participant, data: bytes, kind: models.DataPacket.Kind) -> None:
        """Forward what ``sender`` sent on a data channel."""
        self._forwarder.receive(sender, data, kind)

    # --- when it ends

    def close(
        self,
        reason: models.DisconnectReason = models.DisconnectReason.ROOM_CLOSED,
    ) -> None:
        """Disconnect everyone and end the room. ``RoomServer.delete_room`` does it by name."""
        if self.closed:
            return
        self.closed = True
        self._expiry.cancel()
        for participant in list(self.participants.values()):
            participant.remove(reason)
        self._announcements.close()
        self._speakers.close()
        self._qualities.close()
        self._count_updates.close()
        self._events.room_finished(self)

    def abandon(self) -> None:
        """End the room like a server that crashes: every connection breaks without a message."""
        for participant in list(self.participants.values()):
            participant.cut()
        self.close(models.DisconnectReason.SERVER_SHUTDOWN)

    def counts_changed(self) -> None:
        """Note that somebody publishes from now on, or no longer."""
        self._count_updates.changed()

    def _count(self) -> int:
        return sum(not p.is_dependent for p in self.participants.values())

    def _refresh_info(self) -> bool:
        """Bring what others see up to date, and tell everyone if that changed it."""
        everyone = self.participants.values()
        self.info.num_participants = self._count()
        self.info.num_publishers = sum(p.info.is_publisher for p in everyone)
        self.info.active_recording = any(p.is_recorder for p in everyone)
        info = self.info.SerializeToString(deterministic=True)
        changed, self._told_info = info != self._told_info, info
        if changed and not self.closed:
            self.broadcast_info()
        return changed

    def _membership_changed(self, participant: Participant) -> None:
        """Update the room's counts, and schedule its end when only agents are left."""
        if participant.is_recorder:
            self._count_updates.now()
        else:
            self._count_updates.changed()
        self._expiry.cancel()
        if not self.closed and not self._count():
            timeout = self.info.departure_timeout if self._ever_joined else self.info.empty_timeout
            self._expiry = asyncio.get_running_loop().call_later(timeout, self.close)
