"""Everything of aioice that is not its public interface, in one place.

tests/devserver/test_aiortc_private.py checks the shapes that it needs, as for aiortc_private.
"""

# pyright: reportPrivateUsage=false
# The private names of aioice are this file's subject.

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aioice import ice
from aioice.stun import TransactionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aioice import stun

LOST_AFTER = 15.0
"""Seconds without a packet from a client after which it is lost, as in livekit-server
(pkg/rtc/transport.go, iceFailedTimeoutTotal)."""
CHECKED_EVERY = 3.0
"""Seconds between the checks whether a client is still there."""
DATAGRAMS_WAITING = 5_000
"""Datagrams that wait to be read, on one connection; later ones are lost, as in a full socket."""
_FIRST_OF_DTLS, _FIRST_OF_RTP, _LAST_OF_RTP = 20, 128, 191
"""First bytes of datagrams, by protocol; those below are STUN's (RFC 7983)."""


class StunProtocol(ice.StunProtocol):
    """Passes media on unparsed: aioice would parse every datagram as STUN first."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if data and isinstance(data, bytes) and data[0] >= _FIRST_OF_DTLS:
            self.receiver.data_received(data, self.local_candidate.component)
        else:
            super().datagram_received(data, addr)


class IceConnection(ice.Connection):
    """Considers a client lost when nothing at all arrives from it, as livekit-server's ICE does.

    aioice counts the checks that were not answered within half a second. On a busy machine that
    means nothing: clients were considered lost while they were sending.
    """

    _heard = 0.0
    take_media: Callable[[bytes], bool] | None = None
    """Takes a datagram of media; returns False to queue it for the reading task."""

    def data_received(self, data: bytes, component: int) -> None:
        """Pass on datagrams to this port: unlike in aioice, their number is bounded, and empty
        ones, which would end aiortc's DTLS, are dropped.

        Media is forwarded at once: it does not wait in the queue for a task to read it.
        """
        self._hear()
        if not data:
            return
        if (
            self.take_media is not None
            and _FIRST_OF_RTP <= data[0] <= _LAST_OF_RTP
            and self.take_media(data)
        ):
            return
        if self._queue.qsize() < DATAGRAMS_WAITING:
            super().data_received(data, component)

    def request_received(
        self, message: stun.Message, addr: tuple[str, int], protocol: ice.StunProtocol
    ) -> None:
        self._hear()
        super().request_received(message, addr, protocol)

    async def query_consent(self) -> None:
        self._hear()
        while True:
            await asyncio.sleep(CHECKED_EVERY)
            for pair in self._nominated.values():
                await self._check(pair)
            # Judged once there was time to answer, and to read what had arrived.
            if asyncio.get_running_loop().time() - self._heard > LOST_AFTER:
                self._query_consent_task = None
                await self.close()
                return

    async def _check(self, pair: ice.CandidatePair) -> None:
        request = self.build_request(pair, nominate=False)
        key = (self.remote_password or "").encode()
        try:
            await pair.protocol.request(
                request, pair.remote_addr, integrity_key=key, retransmissions=0
            )
        except TransactionError:
            return
        self._hear()

    def _hear(self) -> None:
        self._heard = asyncio.get_running_loop().time()
