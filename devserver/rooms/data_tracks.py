"""Data tracks: frames that a participant sends to those who subscribe to them.

Requests, refusals and handles are those of livekit-server (pkg/rtc/participant_data_track.go,
datatrack.go and subscriptionmanager.go).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from livekit.protocol import models, rtc

from devserver import sid
from devserver.data import data_track_frame
from devserver.media.track import TrackPublisher, TrackSubscriber

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devserver.media.connections import Connections
    from devserver.rooms.room_context import RoomContext

log = logging.getLogger("devserver.data")

_DATA_TRACK = "DTR_"
_HANDLES = range(1, 1 << 16)
_NAME_LENGTHS = range(1, 257)
_CUSTOM_LENGTHS = range(1, 33)


class Owner(TrackPublisher, TrackSubscriber, Protocol):
    """The participant whose data tracks these are."""

    @property
    def context(self) -> RoomContext: ...

    @property
    def info(self) -> models.ParticipantInfo: ...

    @property
    def is_active(self) -> bool:
        """Whether its media connection is up."""
        ...

    def others_data_tracks(self) -> Iterable[DataTracks]:
        """Return the data tracks of everyone else in the room."""
        ...

    def announce_tracks(self) -> None:
        """Tell everyone how the participant's tracks are now."""
        ...

    @property
    def connection(self) -> Connections: ...


class DataTrack:
    """One data track of a participant, and who receives it."""

    def __init__(self, publisher: Owner, request: rtc.PublishDataTrackRequest) -> None:
        self.publisher = publisher
        self.info = models.DataTrackInfo(
            pub_handle=request.pub_handle,
            sid=sid.new_sid(_DATA_TRACK),
            name=request.name,
            encryption=request.encryption,
        )
        if request.HasField("frame_encoding"):
            self.info.frame_encoding.CopyFrom(request.frame_encoding)
        if request.HasField("schema"):
            self.info.schema.CopyFrom(request.schema)
        self.subscribers: dict[DataTracks, int] = {}
        """The handle by which each subscriber knows the track."""

    @property
    def sid(self) -> str:
        """The id of the track."""
        return self.info.sid


class DataTracks:
    """The data tracks that one participant publishes, and those that it subscribes to."""

    def __init__(self, owner: Owner, *, auto_subscribe: bool) -> None:
        self._owner = owner
        self._auto_subscribe = auto_subscribe
        self._published: dict[int, DataTrack] = {}
        """By the handle that the publisher chose."""
        self._wanted: dict[str, DataTrack] = {}
        """By id: tracks of others that the participant asked for."""
        self._last_handle = 0

    def __iter__(self) -> Iterator[DataTrack]:
        return iter(tuple(self._published.values()))

    def __contains__(self, track_sid: object) -> bool:
        return any(track.sid == track_sid for track in self)

    # --- publishing

    def publish(self, request: rtc.PublishDataTrackRequest) -> None:
        """Begin a track, or send a refusal."""
        refusal = self._refusal(request)
        if refusal is not None:
            reason, message = refusal
            self._respond(
                rtc.RequestResponse(reason=reason, message=message, publish_data_track=request)
            )
            return
        track = self._published[request.pub_handle] = DataTrack(self._owner, request)
        self._owner.send(
            rtc.SignalResponse(
                publish_data_track_response=rtc.PublishDataTrackResponse(info=track.info)
            )
        )
        self._owner.info.is_publisher = True
        self._announce()
        for others in self._owner.others_data_tracks():
            others.offer(track)

    def unpublish(self, request: rtc.UnpublishDataTrackRequest) -> None:
        """End a track, or report that there is none."""
        track = self._published.get(request.pub_handle)
        if track is None:
            self._respond(
                rtc.RequestResponse(
                    reason=rtc.RequestResponse.NOT_FOUND, unpublish_data_track=request
                )
            )
            return
        self._end(track)
        self._owner.send(
            rtc.SignalResponse(
                unpublish_data_track_response=rtc.UnpublishDataTrackResponse(info=track.info)
            )
        )
        self._announce()

    def revoke(self) -> None:
        """End every track unless the participant may publish data."""
        if not self._owner.permission.can_publish_data:
            self.end_all()

    def end_all(self) -> None:
        """End every track that the participant publishes."""
        for track in self:
            self._end(track)
        del self._owner.info.data_tracks[:]

    def receive(self, frame: bytes) -> None:
        """Forward the client's packets on its channel for data tracks."""
        handle = data_track_frame.handle_of(frame)
        if handle is None:
            log.warning("%s sent a data track frame that cannot be parsed", self._owner.identity)
            return
        track = self._published.get(handle)
        if track is None:
            return
        for subscriber, own_handle in track.subscribers.items():
            subscriber.send(data_track_frame.with_handle(frame, own_handle))

    # --- subscribing

    def update(self, request: rtc.UpdateDataSubscription) -> None:
        """Subscribe to tracks and unsubscribe from tracks as the client asks for."""
        for update in request.updates:
            if not update.subscribe:
                self._unsubscribe(update.track_sid)
            elif (track := self._find(update.track_sid)) is not None:
                self._wanted[track.sid] = track
        self.reconcile()

    def offer(self, track: DataTrack) -> None:
        """Subscribe to a new track if the client wants all that there are."""
        if self._auto_subscribe and self._owner.is_active:
            self._wanted[track.sid] = track
            self.reconcile()

    def subscribe_to_existing(self) -> None:
        """Subscribe to all present tracks, if the client wants them."""
        if self._auto_subscribe:
            for others in self._owner.others_data_tracks():
                self._wanted.update({track.sid: track for track in others})
            self.reconcile()

    def reconcile(self) -> None:
        """Begin and end subscriptions according to wishes and permissions, and notify the
        client."""
        changed = False
        for track in self._wanted.values():
            allowed = self._may_receive(track)
            if allowed == (self in track.subscribers):
                continue
            changed = True
            if allowed:
                track.subscribers[self] = self._next_handle()
            else:
                del track.subscribers[self]
        if changed:
            self._tell_handles()

    def forget(self, track: DataTrack) -> None:
        """Note that a track of another participant has ended."""
        self._wanted.pop(track.sid, None)
        if track.subscribers.pop(self, None) is not None:
            self._tell_handles()

    def close(self) -> None:
        """End every track and every subscription: the participant is gone."""
        self.end_all()
        for track in self._wanted.values():
            track.subscribers.pop(self, None)
        self._wanted.clear()

    def send(self, frame: bytes) -> None:
        """Send a frame to the participant's client."""
        self._owner.connection.send_frame(frame)

    # --- the details

    def _refusal(
        self, request: rtc.PublishDataTrackRequest
    ) -> tuple[rtc.RequestResponse.Reason, str] | None:
        name, handle, permission = request.name, request.pub_handle, self._owner.permission
        reasons = rtc.RequestResponse
        checks = (
            (
                permission.can_publish_data,
                reasons.NOT_ALLOWED,
                "does not have permission to publish data",
            ),
            (handle in _HANDLES, reasons.INVALID_HANDLE, "handle should be > 0 AND < 65536"),
            (
                len(name.encode()) in _NAME_LENGTHS,
                reasons.INVALID_NAME,
                "name should not be empty and should not exceed 256 characters",
            ),
            (
                _has_valid_encodings(request),
                reasons.INVALID_REQUEST,
                "encoding identifier is empty or exceeds the maximum length",
            ),
            (
                handle not in self._published,
                reasons.DUPLICATE_HANDLE,
                "a data track with same handle already exists",
            ),
            (
                all(track.info.name != name for track in self),
                reasons.DUPLICATE_NAME,
                "a data track with same name already exists",
            ),
            (
                len(self._published) < self._owner.context.limits.tracks_per_participant,
                reasons.LIMIT_EXCEEDED,
                "as many data tracks as there may be",
            ),
        )
        return next(((reason, text) for holds, reason, text in checks if not holds), None)

    def _end(self, track: DataTrack) -> None:
        del self._published[track.info.pub_handle]
        for subscriber in tuple(track.subscribers):
            subscriber.forget(track)

    def _announce(self) -> None:
        info = self._owner.info
        del info.data_tracks[:]
        info.data_tracks.extend(track.info for track in self)
        self._owner.announce_tracks()

    def _find(self, track_sid: str) -> DataTrack | None:
        if len(self._wanted) >= self._owner.context.limits.subscriptions_per_participant:
            return None
        return next(
            (
                track
                for others in self._owner.others_data_tracks()
                for track in others
                if track.sid == track_sid
            ),
            None,
        )

    def _may_receive(self, track: DataTrack) -> bool:
        return self._owner.permission.can_subscribe and track.publisher.allows(
            track.sid, self._owner
        )

    def _unsubscribe(self, track_sid: str) -> None:
        track = self._wanted.get(track_sid)
        if track is not None:
            self.forget(track)

    def _next_handle(self) -> int:
        self._last_handle = self._last_handle % (len(_HANDLES)) + 1
        return self._last_handle

    def _tell_handles(self) -> None:
        handles = rtc.DataTrackSubscriberHandles()
        for track in self._wanted.values():
            handle = track.subscribers.get(self)
            if handle is not None:
                published = handles.sub_handles[handle]
                published.publisher_identity = track.publisher.identity
                published.publisher_sid = track.publisher.sid
                published.track_sid = track.sid
        self._owner.send(rtc.SignalResponse(data_track_subscriber_handles=handles))

    def _respond(self, response: rtc.RequestResponse) -> None:
        self._owner.send(rtc.SignalResponse(request_response=response))


def _has_valid_encodings(request: rtc.PublishDataTrackRequest) -> bool:
    encodings = (request.frame_encoding, request.schema.encoding)
    return all(
        len(encoding.custom.encode()) in _CUSTOM_LENGTHS
        for encoding in encodings
        if encoding.WhichOneof("value") == "custom"
    )
