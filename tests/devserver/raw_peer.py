"""A client that exposes its signal messages, and whose data channels carry any bytes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from livekit.protocol import rtc

from tests.devserver.raw_signal import RawSignal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.room_server import RoomServerUnderTest

WITHIN = 20.0
LABELS = ("_reliable", "_lossy", "_data_track", "of its own")


class RawPeer:
    """A participant with one peer connection; use it as an async context manager.

    `server` is the one that it joins, `channels` are open data channels by label, and `candidates`
    the server's addresses for media.
    """

    def __init__(
        self,
        server: RoomServerUnderTest,
        token: str,
        *,
        video: rtc.AddTrackRequest | None = None,
    ) -> None:
        """`video`: publishes a green picture as the track that this announces."""
        self.server = server
        self._video = video
        self.signal = RawSignal(server, token)
        self.channels: dict[str, RTCDataChannel] = {}
        self.candidates: list[tuple[str, int]] = []
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    async def __aenter__(self) -> Self:
        await self.signal.__aenter__()
        try:
            async with asyncio.timeout(WITHIN):
                await self._connect()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.signal.__aexit__(exc_type, exc, traceback)
        await self._connection.close()

    async def received_on(self, label: str, send: Callable[[], object], end: bytes) -> None:
        """Have somebody `send`, and return when a message with the last bytes of `end` has come."""
        come = asyncio.Event()

        def receive(message: str | bytes) -> None:
            if isinstance(message, bytes) and end[-10:] in message:
                come.set()

        self.channels[label].on("message", receive)
        send()
        async with asyncio.timeout(WITHIN):
            await come.wait()

    async def _connect(self) -> None:
        open_channels = asyncio.Event()
        for label in LABELS:
            channel = self._connection.createDataChannel(
                label,
                ordered=label == "_reliable",
                maxRetransmits=None if label == "_reliable" else 0,
            )

            def opened(channel: RTCDataChannel = channel) -> None:
                self.channels[channel.label] = channel
                if len(self.channels) == len(LABELS):
                    open_channels.set()

            channel.on("open", opened)
        if self._video is not None:
            track = VideoStreamTrack()
            self._connection.addTrack(track)
            request = rtc.AddTrackRequest()
            request.CopyFrom(self._video)
            request.cid = track.id
            await self.signal.send(rtc.SignalRequest(add_track=request))
            await self.signal.next("track_published")
        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = self._connection.localDescription
        await self.signal.send(
            rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp=offer.sdp, id=1))
        )
        answer = (await self.signal.next("answer")).answer
        await self._connection.setRemoteDescription(
            RTCSessionDescription(sdp=answer.sdp, type="answer")
        )
        lines = [line.split() for line in answer.sdp.splitlines() if line.startswith("a=candidate")]
        self.candidates = [(words[4], int(words[5])) for words in lines]
        await open_channels.wait()
