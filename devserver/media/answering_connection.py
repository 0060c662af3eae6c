"""The peer connection on which the client offers: its published tracks arrive here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import rtc

from devserver.media import aiortc_private
from devserver.media.peer_connection import UNUSABLE, PeerConnection
from devserver.media.section import Section
from devserver.media.session_text import offered_layers, with_layers, with_long_extensions

if TYPE_CHECKING:
    from aiortc import RTCDataChannel
    from aiortc.rtcicetransport import RTCIceParameters
    from aiortc.sdp import MediaDescription, SessionDescription

    from devserver.data.data_channels import DataChannels
    from devserver.limits import Limits
    from devserver.media.connection_owner import ConnectionOwner
    from devserver.media.track import PublishedTrack

_MEDIA = ("audio", "video")


class AnsweringConnection(PeerConnection):
    """Answers the client's offers.

    ``subscribes`` says whether this is the client's only connection: it then receives here too, in
    the sections that it offers for it. ``replies`` says whether packets to the client take the data
    channels that it opens here.
    """

    def __init__(
        self,
        owner: ConnectionOwner,
        limits: Limits,
        data: DataChannels,
        *,
        primary: bool,
        subscribes: bool,
        replies: bool,
    ) -> None:
        super().__init__(owner, limits, primary=primary)
        self.pc.on("datachannel", self._data_channel_opened)
        self._data = data
        self._subscribes = subscribes
        self._replies = replies
        self._ice_credentials: RTCIceParameters | None = None
        self._awaiting_offer = False
        self._layers: dict[str, list[str]] = {}

    async def answer(self, offer: rtc.SessionDescription) -> None:
        """Answer ``offer`` and announce the tracks it published or ended."""
        async with self.lock:
            if self.closed or self.pc.signalingState == "closed":
                return
            self._awaiting_offer = False
            try:
                published = await self._apply(offer.sdp)
                await self.pc.setLocalDescription(await self.pc.createAnswer())
            except UNUSABLE as error:
                if not self.closed:
                    self.owner.negotiation_failed(f"cannot answer the offer: {error}")
                return
            self.owner.send(
                rtc.SignalResponse(
                    answer=rtc.SessionDescription(
                        type="answer",
                        sdp=self._completed(self.pc.localDescription.sdp),
                        id=offer.id,
                        mid_to_track_id=self.track_ids,
                    )
                )
            )
            for track in published:
                self.owner.publications.negotiated(track)
            self.reconcile()

    def reconcile(self) -> None:
        """Make the client offer again if its sections do not carry the tracks it should receive."""
        if not self._subscribes or self._awaiting_offer or self.closed:
            return
        if not self.downstream.needs_negotiation():
            return
        self._awaiting_offer = True
        self.owner.send(
            rtc.SignalResponse(
                media_sections_requirement=rtc.MediaSectionsRequirement(
                    num_audios=self.downstream.missing("audio"),
                    num_videos=self.downstream.missing("video"),
                )
            )
        )

    def resume(self) -> None:
        """Ask again for missing sections: it may have missed the last request."""
        self._awaiting_offer = False
        self.reconcile()

    async def _apply(self, sdp: str) -> list[PublishedTrack]:
        """Apply an offer; return the tracks that it published."""
        description = self.parse(sdp)
        self._notice_ice_restart(description)
        self._layers = offered_layers(sdp)
        await self.set_remote(sdp, "offer")
        sections = {section.mid: section for section in self.sections}
        for transceiver in self.pc.getTransceivers():
            aiortc_private.route_by_mid(aiortc_private.transport_of(transceiver))
            mid = transceiver.mid or ""
            if mid not in sections:
                sections[mid] = Section(transceiver, self.tasks, self.bandwidth)
                self.sections.append(sections[mid])
        published: list[PublishedTrack] = []
        for media in description.media:
            section = sections.get(media.rtp.muxId)
            if section is None or media.kind not in _MEDIA:
                continue
            section.negotiate(media.rtp.codecs)
            section.offer(media.direction or "sendrecv", self._layers.get(section.mid, ()))
            track = self._publish(section, description, media)
            if track is not None:
                published.append(track)
        if self._subscribes:
            self.downstream.place(lambda _: None)
        for section in self.sections:
            section.prepare_answer()
        return published

    def _publish(
        self, section: Section, description: SessionDescription, media: MediaDescription
    ) -> PublishedTrack | None:
        """Begin or end what ``section`` publishes; return a track that begins."""
        if section.published and not section.client_sends:
            self.owner.publications.end(section.published)
        elif section.client_sends and not section.published:
            track = self.owner.publications.pending(description.webrtc_track_id(media), media.kind)
            if track is not None:
                section.publish(track, only_preferred=not self.owner.client.keeps_codec_order)
            return track
        return None

    def _completed(self, sdp: str) -> str:
        received = {section.mid for section in self.sections if section.published}
        layers = {mid: rids for mid, rids in self._layers.items() if mid in received}
        return with_layers(with_long_extensions(sdp), layers)

    def _notice_ice_restart(self, description: SessionDescription) -> None:
        """Follow a client that comes from new addresses, as it does when it resumes."""
        credentials = description.media[0].ice
        sctp = self.pc.sctp
        if credentials is None:
            return
        if self._ice_credentials not in (None, credentials) and sctp is not None:
            aiortc_private.restart_ice(sctp.transport, credentials)
            self.reset_candidates()
        self._ice_credentials = credentials

    def _data_channel_opened(self, channel: RTCDataChannel) -> None:
        self._data.receive_from(channel)
        if self._replies:
            self._data.send_on(channel)
