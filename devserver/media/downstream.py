"""The tracks that a participant receives, placed in the sections of one peer connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from devserver.media.connection_owner import ConnectionOwner
    from devserver.media.section import Section
    from devserver.media.track import PublishedTrack


class Downstream:
    """Compares the tracks that the participant should receive with those in its sections."""

    def __init__(self, owner: ConnectionOwner, sections: list[Section]) -> None:
        self._owner = owner
        self._sections = sections

    def tracks(self) -> list[PublishedTrack]:
        """Return the tracks that are being sent."""
        return [section.subscribed for section in self._sections if section.subscribed]

    def scores(self) -> list[float]:
        """Score how each track has arrived since the last call."""
        scores = [section.score() for section in self._sections]
        return [score for score in scores if score is not None]

    def end(self, track: PublishedTrack) -> None:
        """Stop sending ``track``; the next negotiation tells the client."""
        for section in self._sections:
            if section.subscribed is track:
                section.unsubscribe()

    def end_unwanted(self) -> None:
        """Stop sending tracks that the client should no longer receive."""
        wanted = self._wanted()
        for track in self.tracks():
            if track not in wanted:
                self.end(track)

    def place(self, new_section: Callable[[str], Section | None]) -> None:
        """Give every wanted track a section.

        ``new_section(kind)`` makes a section where none is free, or returns None; the track then
        waits for the next negotiation. A section that carried the track before comes last: the
        Rust SDK notices a track that comes again only in another section.
        """
        self.end_unwanted()
        carried = self.tracks()
        for track in self._wanted():
            if track in carried:
                continue
            free = [s for s in self._sections if s.is_free and s.kind == track.kind]
            unused = [s for s in free if not s.has_carried(track)]
            section = next(iter(unused), None) or new_section(track.kind) or next(iter(free), None)
            if section is not None:
                client = self._owner.client
                section.subscribe(
                    track, trailers=client.reads_trailers, blanks=client.notices_packets
                )
                self._adapt(section, track)
                self._owner.subscribed_to(track)

    def needs_negotiation(self) -> bool:
        """Whether the sections differ from the tracks that the client should receive."""
        carried = self.tracks()
        ended = any(section.ended for section in self._sections)
        return ended or any(track not in carried for track in self._wanted())

    def missing(self, kind: str) -> int:
        """Return the number of missing sections of ``kind``."""
        carried = self.tracks()
        needed = sum(track.kind == kind and track not in carried for track in self._wanted())
        vacant = sum(s.kind == kind and s.is_vacant for s in self._sections)
        return max(0, needed - vacant)

    def apply_settings(self) -> None:
        """Stop and resume sending, in the quality that the client asked for."""
        for section in self._sections:
            if section.subscribed:
                self._adapt(section, section.subscribed)

    def _adapt(self, section: Section, track: PublishedTrack) -> None:
        wishes = self._owner.subscriptions
        section.adapt(paused=wishes.is_paused(track), layer=wishes.layer(track))

    def _wanted(self) -> list[PublishedTrack]:
        return self._owner.subscriptions.wanted()
