"""A peer connection of a participant: the common part of both directions of negotiation."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from aiortc import InvalidStateError, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, OperationError
from aiortc.sdp import SessionDescription, candidate_from_sdp

from devserver.media import aiortc_private
from devserver.media.bandwidth import Bandwidth
from devserver.media.downstream import Downstream
from devserver.tasks import TaskSet

if TYPE_CHECKING:
    from aiortc import RTCIceCandidate

    from devserver.limits import Limits
    from devserver.media.connection_owner import ConnectionOwner
    from devserver.media.section import Section
    from devserver.media.track import PublishedTrack

log = logging.getLogger("devserver.peer")

UNUSABLE = (
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    TypeError,
    InvalidStateError,
    InternalError,
    InvalidAccessError,
    OperationError,
    RuntimeError,  # a StopIteration within a coroutine
)
"""aiortc's exceptions for a session description that it cannot apply: its parser has no exception
of its own for malformed ones."""


class PeerConnection:
    """A WebRTC connection with one transport, its sections, and its candidates."""

    def __init__(self, owner: ConnectionOwner, limits: Limits, *, primary: bool) -> None:
        self.owner = owner
        self.limits = limits
        self.pc = aiortc_private.new_peer_connection()
        self.pc.on("connectionstatechange", self._state_changed)
        self.tasks = TaskSet()
        self.lock = asyncio.Lock()
        """Held while a session description is applied."""
        self.sections: list[Section] = []
        self.bandwidth = Bandwidth()
        """The bandwidth of the client's end of the connection."""
        self.downstream = Downstream(owner, self.sections)
        self.closed = False
        self._primary = primary
        self._candidates = 0
        self._early_candidates: deque[RTCIceCandidate] = deque()
        self._takes_candidates = False

    @property
    def is_reachable(self) -> bool:
        """Whether packets reach the client; it may take itself for connected from then on."""
        return self.pc.iceConnectionState == "completed"

    @property
    def is_established(self) -> bool:
        """Whether the connection has been negotiated, be it up yet or not."""
        return self.pc.connectionState != "new"

    def end_publication(self, track: PublishedTrack) -> None:
        """Stop receiving ``track``."""
        for section in self.sections:
            if section.published is track:
                section.unpublish()

    async def add_candidate(self, text: str) -> None:
        """Add a candidate that the client trickled; malformed and ``.local`` ones are dropped.

        Names under ``.local`` need multicast DNS. They are not needed: the server's candidates
        are reachable, and the client's address shows in its connectivity checks.
        """
        candidate = _parse_candidate(text)
        self._candidates += 1
        if candidate is None or self.closed or self._candidates > self.limits.ice_candidates:
            return
        self._early_candidates.append(candidate)
        await self._add_early_candidates()

    async def _add_early_candidates(self) -> None:
        """Add the candidates that came before the description that they belong to."""
        mid = aiortc_private.transport_mid(self.pc)
        while self._takes_candidates and mid is not None and self._early_candidates:
            candidate = self._early_candidates.popleft()
            candidate.sdpMid = mid
            await self.pc.addIceCandidate(candidate)

    @property
    def track_ids(self) -> dict[str, str]:
        """The sid of the track that each section carries to the client, by the section's mid."""
        return {each.mid: each.subscribed.sid for each in self.sections if each.subscribed}

    async def close(self) -> None:
        """End the connection."""
        if self.closed:
            return
        self.closed = True
        async with self.lock:  # aioice would leak the sockets of a gathering that is cancelled
            for section in self.sections:
                section.unpublish()
                section.unsubscribe()
            await self.tasks.close()
            await aiortc_private.close(self.pc)

    def parse(self, sdp: str) -> SessionDescription:
        """Return the client's session description, whose size is bounded. Raises ValueError."""
        description = SessionDescription.parse(sdp)
        if len(description.media) > self.limits.sections_per_connection:
            raise ValueError("too many media sections")
        if not description.media:
            raise ValueError("no media sections")
        return description

    async def set_remote(self, sdp: str, kind: str) -> None:
        """Apply the client's session description and the candidates that were waiting for it."""
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, kind))
        self._takes_candidates = True
        await self._add_early_candidates()

    def reconcile(self) -> None:
        """Negotiate if the sections do not carry the tracks that the client should receive."""
        raise NotImplementedError

    def reset_candidates(self) -> None:
        """Let the client trickle candidates again, for another network."""
        self._candidates = 0

    def _state_changed(self) -> None:
        state = self.pc.connectionState
        if state == "connected":
            self.tasks.start(aiortc_private.start_media(self.pc), name="start of media")
            if self._primary:
                self.owner.connected()
            self.reconcile()
        elif state in ("failed", "closed") and not self.closed:
            self.owner.disconnected()


def _parse_candidate(text: str) -> RTCIceCandidate | None:
    if not text or ".local" in text:
        return None
    try:
        candidate = candidate_from_sdp(text.removeprefix("candidate:"))
    except (ValueError, AssertionError, IndexError):
        log.debug("ignored a malformed candidate")
        return None
    return candidate if candidate.protocol.lower() == "udp" else None
