"""The tracks that a participant publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from livekit.protocol import models, rtc

from devserver.media.track import PublishedTrack, TrackPublisher, TrackSubscriber
from devserver.rooms.permission import may_publish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devserver.rooms.client import Client
    from devserver.rooms.room_context import RoomContext


class Publisher(TrackPublisher, Protocol):
    """The participant that the tracks belong to, which announces their changes."""

    @property
    def context(self) -> RoomContext: ...

    @property
    def client(self) -> Client: ...

    def track_published(self, track: PublishedTrack) -> None:
        """Tell everyone about a track whose media section is negotiated."""
        ...

    def track_ended(self, track: PublishedTrack, *, was_published: bool) -> None:
        """Stop receiving ``track``, and tell everyone who knew of it."""
        ...

    def announce_tracks(self) -> None:
        """Tell everyone how the tracks are now."""
        ...

    def track_permissions_changed(self) -> None:
        """Let the others start and stop receiving, as is now permitted."""
        ...


class Publications:
    """A participant's tracks, from their announcement to their end, and who may have them."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._tracks: dict[str, PublishedTrack] = {}
        self._queued: list[rtc.AddTrackRequest] = []
        """Requests whose cid is in use, in order; each waits for that track's end."""
        self._permission: rtc.SubscriptionPermission | None = None

    def __contains__(self, track_sid: object) -> bool:
        return track_sid in self._tracks

    def __iter__(self) -> Iterator[PublishedTrack]:
        return iter(tuple(self._tracks.values()))

    def __len__(self) -> int:
        return len(self._tracks)

    def infos(self) -> list[models.TrackInfo]:
        """Return the tracks that others see: those whose media section is negotiated."""
        return [track.info for track in self if track.is_published]

    @property
    def has_audio(self) -> bool:
        """Whether there is sound among them that others can hear."""
        return any(track.kind == "audio" and track.is_published for track in self)

    def loudness(self) -> float:
        """Return how loud the loudest track is, from 0 to 1; 0 unless somebody seems to speak."""
        return max((track.loudness() for track in self), default=0.0)

    @property
    def announced(self) -> int:
        """Number of tracks, with those that wait until another one of their cid ends."""
        return len(self._tracks) + len(self._queued)

    def add(self, request: rtc.AddTrackRequest) -> bool:
        """Take a track that the client is about to send, and confirm it.

        False if another track has its cid: it waits until that one ends.
        """
        if any(track.cid == request.cid for track in self):
            self._queued.append(request)
            return False
        publisher = self._publisher
        track = PublishedTrack(
            publisher, request, publisher.client.publish_codecs, publisher.context.faults
        )
        self._tracks[track.sid] = track
        published = rtc.TrackPublishedResponse(cid=request.cid, track=track.info)
        publisher.send(rtc.SignalResponse(track_published=published))
        return True

    def pending(self, cid: str | None, kind: str) -> PublishedTrack | None:
        """Return the announced track that a media section with this track id carries.

        If the client gives no useful id, take its oldest announced track of the kind.
        """
        pending = [track for track in self if track.kind == kind and not track.is_published]
        oldest = pending[0] if pending else None
        return next((track for track in pending if track.cid == cid), oldest)

    def negotiated(self, track: PublishedTrack) -> None:
        """Tell everyone about a track whose media section is negotiated."""
        self._publisher.track_published(track)

    def end(self, track: PublishedTrack) -> None:
        """End a track and tell everyone who knew of it."""
        was_published = track.is_published
        del self._tracks[track.sid]
        self._publisher.track_ended(track, was_published=was_published)
        for request in self._queued:
            if request.cid == track.cid:
                self._queued.remove(request)
                self.add(request)
                return

    def end_all(self) -> None:
        """End every track."""
        self._queued.clear()
        for track in self:
            self.end(track)

    def revoke(self, permission: models.ParticipantPermission) -> None:
        """End every track that ``permission`` does not allow, and tell the publisher."""
        self._queued = [each for each in self._queued if may_publish(permission, each.source)]
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
            track.mute(muted=muted)
            self._publisher.announce_tracks()
        return track.info

    def update_audio(self, update: rtc.UpdateLocalAudioTrack) -> bool:
        """Change the features of an audio track; whether there is such a track."""
        track = self._tracks.get(update.track_sid)
        if track is None:
            return False
        features = list(dict.fromkeys(update.features))
        track.info.audio_features[:] = features
        track.info.stereo = models.AudioTrackFeature.TF_STEREO in features
        track.info.disable_dtx = models.AudioTrackFeature.TF_NO_DTX in features
        self._updated(track)
        return True

    def update_video(self, update: rtc.UpdateLocalVideoTrack) -> bool:
        """Change the size of a video track; whether there is such a track."""
        track = self._tracks.get(update.track_sid)
        if track is None:
            return False
        track.info.width, track.info.height = update.width, update.height
        self._updated(track)
        return True

    def _updated(self, track: PublishedTrack) -> None:
        if track.is_published:
            self._publisher.announce_tracks()

    def permit(self, permission: rtc.SubscriptionPermission) -> None:
        """Note who may have the tracks."""
        self._permission = permission
        self._publisher.track_permissions_changed()

    def allows(self, track_sid: str, subscriber: TrackSubscriber) -> bool:
        """Whether the publisher lets ``subscriber`` have a track; recorders have everything."""
        permission = self._permission
        if permission is None or permission.all_participants or subscriber.permission.recorder:
            return True
        return any(
            entry.participant_identity == subscriber.identity
            or (not entry.participant_identity and entry.participant_sid == subscriber.sid)
            for entry in permission.track_permissions
            if entry.all_tracks or track_sid in entry.track_sids
        )
