"""The tracks that a participant publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import rtc

from devserver.media.track import PublishedTrack
from devserver.rooms.permission import may_publish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from livekit.protocol import models

    from devserver.rooms.participant import Participant


class Publications:
    """A participant's tracks, from their announcement to their end, and who may have them."""

    def __init__(self, publisher: Participant) -> None:
        self._publisher = publisher
        self._tracks: dict[str, PublishedTrack] = {}
        self._permission: rtc.SubscriptionPermission | None = None

    def __contains__(self, track_sid: object) -> bool:
        return track_sid in self._tracks

    def __iter__(self) -> Iterator[PublishedTrack]:
        return iter(tuple(self._tracks.values()))

    def __len__(self) -> int:
        return len(self._tracks)

    def add(self, request: rtc.AddTrackRequest) -> PublishedTrack | None:
        """Take a track that the client is about to send; None if it announced that cid before."""
        if any(track.cid == request.cid for track in self):
            return None
        track = PublishedTrack(self._publisher, request)
        self._tracks[track.sid] = track
        return track

    def pending(self, cid: str | None, kind: str) -> PublishedTrack | None:
        """Return the announced track that a media section with this track id carries.

        A client that says nothing useful there has its oldest announced track of the kind taken.
        """
        pending = [track for track in self if track.kind == kind and not track.is_published]
        oldest = pending[0] if pending else None
        return next((track for track in pending if track.cid == cid), oldest)

    def negotiated(self, track: PublishedTrack) -> None:
        """Tell everyone of a track whose media section is negotiated."""
        publisher = self._publisher
        publisher.info.is_publisher = True
        publisher.room.count_publishers()
        self._announce()
        for other in publisher.room.others(publisher):
            other.connection.reconcile()
        for listener in publisher.server.listeners:
            listener.track_published(publisher.room, publisher, track.info)

    def end(self, track: PublishedTrack) -> None:
        """End a track and tell everyone who knew of it."""
        publisher = self._publisher
        was_published = track.is_published
        del self._tracks[track.sid]
        publisher.connection.end_publication(track)
        if not was_published:
            return
        self._announce()
        for other in publisher.room.others(publisher):
            other.connection.end_subscription(track)
            other.connection.reconcile()
        for listener in publisher.server.listeners:
            listener.track_unpublished(publisher.room, publisher, track.info)

    def end_all(self) -> None:
        """End every track."""
        for track in self:
            self.end(track)

    def revoke(self, permission: models.ParticipantPermission) -> None:
        """End every track that ``permission`` does not allow, and tell the publisher."""
        for track in self:
            if may_publish(permission, track.info.source):
                continue
            self.end(track)
            self._publisher.send(
                rtc.SignalResponse(
                    track_unpublished=rtc.TrackUnpublishedResponse(track_sid=track.sid)
                )
            )

    def mute(self, track_sid: str, *, muted: bool) -> models.TrackInfo | None:
        """Note that a track is muted, or not; None if there is no such track."""
        track = self._tracks.get(track_sid)
        if track is None:
            return None
        if track.info.muted != muted:
            track.info.muted = muted
            self._announce()
        return track.info

    def permit(self, permission: rtc.SubscriptionPermission) -> None:
        """Note who may have the tracks."""
        self._permission = permission
        for other in self._publisher.room.others(self._publisher):
            other.connection.reconcile_subscriptions()

    def allows(self, track: PublishedTrack, subscriber: Participant) -> bool:
        """Whether the publisher lets ``subscriber`` have ``track``; recorders have everything."""
        permission = self._permission
        if permission is None or permission.all_participants or subscriber.permission.recorder:
            return True
        return any(
            entry.participant_identity == subscriber.identity
            or (not entry.participant_identity and entry.participant_sid == subscriber.sid)
            for entry in permission.track_permissions
            if entry.all_tracks or track.sid in entry.track_sids
        )

    def _announce(self) -> None:
        publisher = self._publisher
        del publisher.info.tracks[:]
        publisher.info.tracks.extend(track.info for track in self if track.is_published)
        publisher.room.announce(publisher)
