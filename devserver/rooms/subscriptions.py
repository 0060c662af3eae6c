"""The tracks that a participant receives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from livekit.protocol import models, rtc

from devserver.media.layers import wanted_layer
from devserver.media.track import TrackSubscriber

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devserver.media.track import PublishedTrack
    from devserver.rooms.room_context import RoomContext


class Subscriber(TrackSubscriber, Protocol):
    """The participant that receives the tracks."""

    @property
    def context(self) -> RoomContext: ...

    @property
    def auto_subscribe(self) -> bool:
        """Whether the client wants every track, unless it says otherwise."""
        ...

    @property
    def adaptive_stream(self) -> bool:
        """Whether the client says later at which size it shows a track."""
        ...

    def send(self, response: rtc.SignalResponse) -> None:
        """Send ``response`` to the client."""
        ...

    def room_tracks(self) -> Iterable[PublishedTrack]:
        """Return every announced track in the room, oldest publisher first."""
        ...


class Subscriptions:
    """A participant's requested subscriptions, limited by its permissions."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._wishes: dict[str, bool] = {}
        self._settings: dict[str, rtc.UpdateTrackSettings] = {}
        self._refused: set[str] = set()

    def update(
        self,
        track_sids: Iterable[str],
        participant_tracks: Iterable[models.ParticipantTracks],
        *,
        subscribe: bool,
    ) -> None:
        """Note that the participant wants these tracks, or does not."""
        sids = list(track_sids)
        for tracks in participant_tracks:
            sids.extend(tracks.track_sids)
        for sid in sids[: self._subscriber.context.limits.subscriptions_per_participant]:
            self._wishes[sid] = subscribe
        self._trim()

    def adapt(self, settings: rtc.UpdateTrackSettings) -> None:
        """Note whether and in which quality the participant wants packets of some tracks."""
        for sid in settings.track_sids:
            self._settings[sid] = settings
        self._trim()

    def pause(self, track_sids: Iterable[str]) -> None:
        """Note that the participant does not want packets of these tracks for now."""
        self.adapt(rtc.UpdateTrackSettings(track_sids=track_sids, disabled=True))

    def is_paused(self, track: PublishedTrack) -> bool:
        """Whether packets of ``track`` are not wanted for now."""
        settings = self._settings.get(track.sid)
        return settings is not None and settings.disabled

    def layer(self, track: PublishedTrack) -> int:
        """Return the largest simulcast layer of ``track`` that the participant wants.

        Before it says so, that is the largest one, or the smallest one for a client with
        ``adaptive_stream`` (livekit-server: pkg/rtc/subscribedtrack.go, Bound).
        """
        first = models.LOW if self._subscriber.adaptive_stream else models.HIGH
        settings = self._settings.get(track.sid, rtc.UpdateTrackSettings(quality=first))
        return wanted_layer(settings, track.info)

    def includes(self, track: PublishedTrack) -> bool:
        """Whether the participant is to receive ``track``."""
        subscriber, publisher = self._subscriber, track.publisher
        if publisher.sid == subscriber.sid or not subscriber.permission.can_subscribe:
            return False
        if not self._wishes.get(track.sid, subscriber.auto_subscribe):
            return False
        allowed = publisher.allows(track.sid, subscriber)
        self._tell_permission(track, allowed=allowed)
        return allowed

    def wanted(self) -> list[PublishedTrack]:
        """Return every track that the participant is to receive, oldest publisher first."""
        tracks = [
            track
            for track in self._subscriber.room_tracks()
            if track.is_published and self.includes(track)
        ]
        return tracks[: self._subscriber.context.limits.subscriptions_per_participant]

    def _tell_permission(self, track: PublishedTrack, *, allowed: bool) -> None:
        """Tell the client when a publisher refuses it a track, and when no longer."""
        if allowed != (track.sid in self._refused):
            return
        (self._refused.discard if allowed else self._refused.add)(track.sid)
        self._subscriber.send(
            rtc.SignalResponse(
                subscription_permission_update=rtc.SubscriptionPermissionUpdate(
                    participant_sid=track.publisher.sid, track_sid=track.sid, allowed=allowed
                )
            )
        )

    def _trim(self) -> None:
        """Forget wishes for tracks that are gone once there are many."""
        limit = 4 * self._subscriber.context.limits.subscriptions_per_participant
        if len(self._wishes) + len(self._settings) + len(self._refused) <= limit:
            return
        published = {track.sid for track in self._subscriber.room_tracks()}
        self._wishes = {sid: wish for sid, wish in self._wishes.items() if sid in published}
        self._settings = {sid: each for sid, each in self._settings.items() if sid in published}
        self._refused &= published
