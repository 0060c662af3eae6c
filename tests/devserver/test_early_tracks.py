"""A track that is offered while the publisher's connection still comes up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from livekit.protocol import models, rtc

from devserver.media import aiortc_private
from tests.devserver.published_media import comes_with_width
from tests.devserver.raw_signal import RawSignal
from tests.devserver.room_events import WITHIN, RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest


async def negotiate(connection: RTCPeerConnection, signal: RawSignal) -> None:
    await connection.setLocalDescription(await connection.createOffer())
    offer = rtc.SessionDescription(type="offer", sdp=connection.localDescription.sdp)
    await signal.send(rtc.SignalRequest(offer=offer))
    answer = (await signal.next("answer")).answer
    await connection.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))


async def test_it_is_received(room_server: RoomServerUnderTest, room_name: str, join: Join) -> None:
    viewer = await join("viewer")
    events = RoomEvents(viewer, "track_subscribed")
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connected = asyncio.Event()

    def state_changed() -> None:
        if connection.connectionState == "connected":
            connected.set()

    connection.on("connectionstatechange", state_changed)
    token = room_server.token("publisher", room_name)
    async with RawSignal(room_server, token) as signal:
        await signal.next("join")
        connection.createDataChannel("_reliable")
        await negotiate(connection, signal)
        picture = VideoStreamTrack()
        request = rtc.AddTrackRequest(cid=picture.id, type=models.VIDEO, source=models.CAMERA)
        await signal.send(rtc.SignalRequest(add_track=request))
        await signal.next("track_published")
        connection.addTrack(picture)
        await negotiate(connection, signal)
        async with asyncio.timeout(WITHIN):
            await connected.wait()
        await aiortc_private.start_media(connection)  # aiortc forgets it on this side as well
        track, _, _ = await events.next("track_subscribed")
        await comes_with_width(track, 640)
        await connection.close()
