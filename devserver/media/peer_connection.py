"""The WebRTC connection of one participant: its negotiation, its sections and its data channels."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiortc import InvalidStateError, RTCDataChannel, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, OperationError
from aiortc.sdp import SessionDescription, candidate_from_sdp
from livekit.protocol import rtc

from devserver.data.data_channels import DataChannels
from devserver.media import aiortc_private
from devserver.media.section import Section
from devserver.tasks import TaskSet

if TYPE_CHECKING:
    from aiortc import RTCIceCandidate
    from aiortc.rtcicetransport import RTCIceParameters

    from devserver.media.track import PublishedTrack
    from devserver.rooms.participant import Participant

log = logging.getLogger("devserver.peer")

_MEDIA = ("audio", "video")


class NegotiationError(ValueError):
    """A session description that the server cannot answer."""


class PeerConnection:
    """Answers the client's offers; in signalling v1 the server never offers itself."""

    def __init__(self, participant: Participant) -> None:
        self._participant = participant
        self._limits = participant.server.limits
        self._pc = aiortc_private.new_peer_connection()
        self._pc.on("connectionstatechange", self._state_changed)
        self._pc.on("datachannel", self._data_channel_opened)
        self._tasks = TaskSet()
        self._lock = asyncio.Lock()
        self._sections: dict[str, Section] = {}
        self._candidates = 0
        self._ice_credentials: RTCIceParameters | None = None
        self._awaiting_offer = False
        self._closed = False
        self.data = DataChannels(self._limits, participant.server.faults, participant.receive_data)

    @property
    def is_reachable(self) -> bool:
        """Whether packets reach the client; it may take itself for connected from then on."""
        return self._pc.iceConnectionState == "completed"

    async def answer(self, offer: rtc.SessionDescription) -> None:
        """Answer ``offer`` and tell everyone what it published or ended.

        Raises NegotiationError if it cannot be answered.
        """
        async with self._lock:
            if self._closed or self._pc.signalingState == "closed":
                return
            self._awaiting_offer = False
            try:
                published = await self._apply(offer.sdp)
                await self._pc.setLocalDescription(await self._pc.createAnswer())
            except (
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
            ) as error:
                # aiortc's parser raises whatever a malformed description makes it stumble over.
                if self._closed:
                    return
                raise NegotiationError(str(error)) from error
            self._participant.signal.send(
                rtc.SignalResponse(
                    answer=rtc.SessionDescription(
                        type="answer",
                        sdp=self._pc.localDescription.sdp,
                        id=offer.id,
                        mid_to_track_id={
                            section.mid: section.subscribed.sid
                            for section in self._sections.values()
                            if section.subscribed
                        },
                    )
                )
            )
            for track in published:
                self._participant.publications.negotiated(track)
            self.reconcile()

    def reconcile(self) -> None:
        """Have the client offer again if what it is to receive is not what its sections carry."""
        wanted = self._wanted()
        if not self._renegotiates(wanted) or self._awaiting_offer or self._closed:
            return
        self._awaiting_offer = True
        self._participant.signal.send(
            rtc.SignalResponse(
                media_sections_requirement=rtc.MediaSectionsRequirement(
                    num_audios=self._missing("audio", wanted),
                    num_videos=self._missing("video", wanted),
                )
            )
        )

    def resume(self) -> None:
        """Begin again to tell the client what it lacks: it may have missed the last request."""
        self._awaiting_offer = False
        self.reconcile()

    def reconcile_subscriptions(self) -> None:
        """Stop sending what the client is no longer to receive, then reconcile."""
        wanted = self._wanted()
        for track in self.subscriptions():
            if track not in wanted:
                self.end_subscription(track)
        self.reconcile()

    def end_subscription(self, track: PublishedTrack) -> None:
        """Stop sending ``track``; the client hears of it in the next negotiation."""
        for section in self._sections.values():
            if section.subscribed is track:
                section.unsubscribe()

    def end_publication(self, track: PublishedTrack) -> None:
        """Stop receiving ``track``."""
        for section in self._sections.values():
            if section.published is track:
                section.unpublish()

    def subscriptions(self) -> list[PublishedTrack]:
        """Return the tracks that are being sent."""
        return [s.subscribed for s in self._sections.values() if s.subscribed]

    def apply_pauses(self) -> None:
        """Stop and resume sending as the client asked for."""
        for section in self._sections.values():
            if section.subscribed:
                section.pause(paused=self._participant.subscriptions.is_paused(section.subscribed))

    async def add_candidate(self, text: str) -> None:
        """Add a candidate that the client trickled; malformed and ``.local`` ones are dropped.

        Names under ``.local`` need multicast DNS. They are not needed: the server's candidates
        are reachable, and the client's address shows in its connectivity checks.
        """
        candidate = _parse_candidate(text)
        transceivers = self._pc.getTransceivers()
        self._candidates += 1
        if candidate is None or self._closed or self._candidates > self._limits.ice_candidates:
            return
        # Everything shares one transport, which aiortc knows by its first section alone.
        candidate.sdpMid = transceivers[0].mid if transceivers else _sctp_mid(self._pc.sctp)
        if candidate.sdpMid is not None:
            await self._pc.addIceCandidate(candidate)

    async def close(self) -> None:
        """End the connection."""
        if self._closed:
            return
        self._closed = True
        self.data.close()
        for section in self._sections.values():
            section.unpublish()
            section.unsubscribe()
        await self._tasks.close()
        await self._pc.close()

    async def _apply(self, sdp: str) -> list[PublishedTrack]:
        """Apply an offer; return the tracks that it published."""
        description = SessionDescription.parse(sdp)
        if len(description.media) > self._limits.sections_per_connection:
            raise NegotiationError("too many media sections")
        if not description.media:
            raise NegotiationError("no media sections")
        self._notice_ice_restart(description)
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for transceiver in self._pc.getTransceivers():
            aiortc_private.route_by_mid(aiortc_private.transport_of(transceiver))
            mid = transceiver.mid or ""
            if mid not in self._sections:
                self._sections[mid] = Section(transceiver, self._tasks)
        published: list[PublishedTrack] = []
        for media in description.media:
            section = self._sections.get(media.rtp.muxId)
            if section is None or media.kind not in _MEDIA:
                continue
            section.offer(media.direction or "sendrecv")
            if section.published and not section.client_sends:
                self._participant.publications.end(section.published)
            elif section.client_sends and not section.published:
                track = self._participant.publications.pending(
                    description.webrtc_track_id(media), media.kind
                )
                if track is not None:
                    section.publish(track)
                    published.append(track)
        self._place_subscriptions()
        for section in self._sections.values():
            section.prepare_answer()
        return published

    def _notice_ice_restart(self, description: SessionDescription) -> None:
        """Follow a client that comes from new addresses, as it does when it resumes."""
        credentials = next((media.ice for media in description.media), None)
        if credentials is None:
            return
        sctp = self._pc.sctp
        if self._ice_credentials not in (None, credentials) and sctp is not None:
            aiortc_private.restart_ice(sctp.transport, credentials)
            self._candidates = 0
        self._ice_credentials = credentials

    def _place_subscriptions(self) -> None:
        wanted = self._wanted()
        for track in self.subscriptions():
            if track not in wanted:
                self.end_subscription(track)
        carried = self.subscriptions()
        for track in wanted:
            if track in carried:
                continue
            section = next(
                (s for s in self._sections.values() if s.is_free and s.kind == track.kind), None
            )
            if section is not None:
                section.subscribe(track)
                section.pause(paused=self._participant.subscriptions.is_paused(track))
                self._participant.subscribed_to(track)

    def _wanted(self) -> list[PublishedTrack]:
        return self._participant.subscriptions.wanted()

    def _renegotiates(self, wanted: list[PublishedTrack]) -> bool:
        carried = self.subscriptions()
        ended = any(section.ended for section in self._sections.values())
        return ended or any(track not in carried for track in wanted)

    def _missing(self, kind: str, wanted: list[PublishedTrack]) -> int:
        """Return how many sections of ``kind`` are missing for what the client is to receive."""
        carried = self.subscriptions()
        needed = sum(track.kind == kind and track not in carried for track in wanted)
        vacant = sum(s.kind == kind and s.is_vacant for s in self._sections.values())
        return max(0, needed - vacant)

    def _state_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self._participant.connected()
        elif state in ("failed", "closed") and not self._closed:
            self._participant.disconnected()

    def _data_channel_opened(self, channel: RTCDataChannel) -> None:
        self.data.add(channel)


def _parse_candidate(text: str) -> RTCIceCandidate | None:
    if not text or ".local" in text:
        return None
    try:
        candidate = candidate_from_sdp(text.removeprefix("candidate:"))
    except (ValueError, AssertionError, IndexError):
        log.debug("ignored a malformed candidate")
        return None
    return candidate if candidate.protocol.lower() == "udp" else None


def _sctp_mid(sctp: object) -> str | None:
    mid = getattr(sctp, "mid", None)
    return mid if isinstance(mid, str) else None
