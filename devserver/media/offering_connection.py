"""The peer connection on which the server offers: the client receives its tracks here.

Only clients of signalling v0 with two connections have it (pkg/rtc/transport.go, SUBSCRIBER).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from livekit.protocol import rtc

from devserver.data.data_channels import DATA_TRACK_LABEL, LOSSY_LABEL, RELIABLE_LABEL
from devserver.media.peer_connection import UNUSABLE, PeerConnection
from devserver.media.section import Section
from devserver.media.session_text import with_long_extensions

if TYPE_CHECKING:
    from devserver.data.data_channels import DataChannels
    from devserver.limits import Limits
    from devserver.media.connection_owner import ConnectionOwner

log = logging.getLogger("devserver.peer")


class OfferingConnection(PeerConnection):
    """Offers its tracks to the client, one offer at a time.

    Changes while an offer is under way go into the next one.
    """

    def __init__(self, owner: ConnectionOwner, limits: Limits, *, primary: bool) -> None:
        super().__init__(owner, limits, primary=primary)
        self._offer_id = 0
        self._negotiating = False
        self._patience: asyncio.TimerHandle | None = None

    def open_data_channels(self, data: DataChannels) -> None:
        """Open the channels on which ``data`` reaches the client, and offer them."""
        labels = ((RELIABLE_LABEL, True), (LOSSY_LABEL, False), (DATA_TRACK_LABEL, False))
        for label, ordered in labels:
            channel = self.pc.createDataChannel(
                label, ordered=ordered, maxRetransmits=None if ordered else 0
            )
            data.receive_from(channel)
            data.send_on(channel)
        self._negotiate()

    def reconcile(self) -> None:
        """Offer again if the sections do not carry the tracks that the client should receive."""
        if self._negotiating or self.closed or not self._may_offer:
            return
        if self.downstream.needs_negotiation():
            self._negotiate()

    @property
    def _may_offer(self) -> bool:
        """Whether the transport is ready for an offer.

        aiortc starts neither the transport nor a section of it if a second description comes while
        the first one is still connecting.
        """
        return self._offer_id == 0 or self.pc.connectionState == "connected"

    def resume(self) -> None:
        """Offer again: the client may have missed the last offer, and waits for one.

        SDKs hold back their candidates from when they resume until the next offer.
        """
        if self._offer_id:
            self._negotiate()

    async def accept(self, answer: rtc.SessionDescription) -> None:
        """Apply the client's answer. One to an earlier offer, or to none, is ignored."""
        async with self.lock:
            if self.closed or self.pc.signalingState != "have-local-offer":
                log.warning("%s answered without an offer: ignored", self.owner.identity)
                return
            if answer.id not in (0, self._offer_id):  # old clients give none
                log.debug("%s answered an earlier offer: ignored", self.owner.identity)
                return
            try:
                self.parse(answer.sdp)
                await self.set_remote(answer.sdp, "answer")
            except UNUSABLE as error:
                if not self.closed:
                    self.owner.negotiation_failed(f"cannot apply the answer: {error}")
                return
            self._stop_waiting()
            self._negotiating = False
        self.reconcile()

    async def close(self) -> None:
        """End the connection."""
        self._stop_waiting()
        await super().close()

    def _negotiate(self) -> None:
        self._negotiating = True
        self.tasks.start(self._offer(), name="offer to a client")

    def _wait_for_answer(self) -> None:
        self._stop_waiting()
        self._patience = asyncio.get_running_loop().call_later(
            self.limits.negotiation_timeout,
            self.owner.negotiation_failed,
            "it did not answer an offer",
        )

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    async def _offer(self) -> None:
        async with self.lock:
            if self.closed or self.pc.signalingState == "closed":
                return
            if self._offer_id or self.pc.sctp is None:
                # aiortc would end the transport of the data if the first offer began with a track.
                self.downstream.place(self._new_section)
            for section in self.sections:
                section.prepare_offer()
            await self.pc.setLocalDescription(await self.pc.createOffer())
            self._offer_id += 1
            self.owner.send(
                rtc.SignalResponse(
                    offer=rtc.SessionDescription(
                        type="offer",
                        sdp=with_long_extensions(self.pc.localDescription.sdp),
                        id=self._offer_id,
                        mid_to_track_id=self.track_ids,
                    )
                )
            )
            self._wait_for_answer()

    def _new_section(self, kind: str) -> Section | None:
        if len(self.sections) >= self.limits.sections_per_connection - 1:  # one is for data
            return None
        transceiver = self.pc.addTransceiver(kind, direction="sendonly")
        section = Section(transceiver, self.tasks, self.bandwidth)
        section.offer("recvonly")
        self.sections.append(section)
        return section
