"""The peer connections of one participant: one for everything, or one for each direction."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit.protocol import rtc

from devserver.data.data_channels import DataChannels
from devserver.media.answering_connection import AnsweringConnection
from devserver.media.offering_connection import OfferingConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from devserver.faults import Faults
    from devserver.limits import Limits
    from devserver.media.connection_owner import ConnectionOwner
    from devserver.media.peer_connection import PeerConnection
    from devserver.media.track import PublishedTrack


class Connections:
    """A participant's peer connections (livekit-server: pkg/rtc/transportmanager.go).

    With ``two``, the client publishes on the connection that it offers and receives on the one that
    the server offers. The latter is then the primary one, which carries the data to the client, if
    ``subscriber_primary`` says so; else the client's own connection is.
    """

    def __init__(
        self,
        owner: ConnectionOwner,
        limits: Limits,
        faults: Faults,
        *,
        receive_frame: Callable[[bytes], None],
        two: bool,
        subscriber_primary: bool,
    ) -> None:
        self.data = DataChannels(limits, faults, owner.receive_data, receive_frame)
        self.subscriber_primary = two and subscriber_primary
        self._publisher = AnsweringConnection(
            owner,
            limits,
            self.data,
            primary=not self.subscriber_primary,
            subscribes=not two,
            replies=not self.subscriber_primary,
        )
        self._subscriber = (
            OfferingConnection(owner, limits, primary=self.subscriber_primary) if two else None
        )

    def start(self) -> None:
        """Begin to negotiate, if that is up to the server."""
        if self._subscriber is not None and self.subscriber_primary:
            self._subscriber.open_data_channels(self.data)

    @property
    def is_reachable(self) -> bool:
        """Whether packets reach the client; it may take itself for connected from then on."""
        return self._primary.is_reachable

    @property
    def publisher_is_established(self) -> bool:
        """Whether the connection on which the client publishes has been negotiated."""
        return self._publisher.is_established

    def send_frame(self, frame: bytes) -> None:
        """Send a frame of a data track to the client; it may get lost."""
        if self.is_reachable:
            self.data.send_frame(frame)

    async def answer(self, offer: rtc.SessionDescription) -> None:
        """Answer the client's offer."""
        await self._publisher.answer(offer)

    async def accept(self, answer: rtc.SessionDescription) -> None:
        """Apply the client's answer; without a connection that the server offers, ignore it."""
        if self._subscriber is not None:
            await self._subscriber.accept(answer)

    async def add_candidate(self, text: str, target: rtc.SignalTarget) -> None:
        """Add a candidate to the connection that ``target`` names, if there is such a one."""
        if target == rtc.SignalTarget.PUBLISHER:
            await self._publisher.add_candidate(text)
        elif self._subscriber is not None:
            await self._subscriber.add_candidate(text)

    def reconcile(self) -> None:
        """Negotiate if the sections do not carry the tracks that the client should receive."""
        self._sending.reconcile()

    def reconcile_subscriptions(self) -> None:
        """Stop sending tracks that the client should no longer receive, then reconcile."""
        self._sending.downstream.end_unwanted()
        self.reconcile()

    def end_subscription(self, track: PublishedTrack) -> None:
        """Stop sending ``track``; the next negotiation tells the client."""
        self._sending.downstream.end(track)

    def end_publication(self, track: PublishedTrack) -> None:
        """Stop receiving ``track``."""
        self._publisher.end_publication(track)

    def subscriptions(self) -> list[PublishedTrack]:
        """Return the tracks that are being sent."""
        return self._sending.downstream.tracks()

    def scores(self) -> list[float]:
        """Score how each track has arrived at the client since the last call."""
        return self._sending.downstream.scores()

    def apply_settings(self) -> None:
        """Stop and resume sending, in the quality that the client asked for."""
        self._sending.downstream.apply_settings()

    def simulate_capacity(self, bits_per_second: int) -> None:
        """Assume this bandwidth of the client's connection; 0 ends that."""
        self._sending.bandwidth.capacity = bits_per_second if bits_per_second > 0 else None

    def resume(self) -> None:
        """Negotiate again for changes that the client may have missed without a signal
        connection."""
        self._sending.resume()

    async def close(self) -> None:
        """End the connections."""
        self.data.close()
        connections = [self._publisher, self._subscriber]
        await asyncio.gather(*(each.close() for each in connections if each is not None))

    @property
    def _primary(self) -> PeerConnection:
        if self.subscriber_primary and self._subscriber is not None:
            return self._subscriber
        return self._publisher

    @property
    def _sending(self) -> AnsweringConnection | OfferingConnection:
        return self._subscriber or self._publisher
