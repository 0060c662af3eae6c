"""Events of rooms, as the rooms report them: upwards, without knowing who listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from livekit.protocol import models

R_contra = TypeVar("R_contra", contravariant=True)
P_contra = TypeVar("P_contra", contravariant=True)


class RoomEvents(Protocol[R_contra, P_contra]):
    """The one way out for events of a room. ``RoomListener`` describes each event."""

    def room_finished(self, room: R_contra) -> None: ...

    def participant_admitted(self, room: R_contra, participant: P_contra) -> None: ...

    def participant_joined(self, room: R_contra, participant: P_contra) -> None: ...

    def participant_left(self, room: R_contra, participant: P_contra) -> None: ...

    def participant_connection_aborted(self, room: R_contra, participant: P_contra) -> None: ...

    def track_published(
        self, room: R_contra, participant: P_contra, track: models.TrackInfo
    ) -> None: ...

    def track_unpublished(
        self, room: R_contra, participant: P_contra, track: models.TrackInfo
    ) -> None: ...
