"""livekit-client publishes in the codec that it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.clients.browser import LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT
from tests.devserver.published_media import shows
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.agent.clients.conftest import OpenPage
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest

PACKAGES = pytest.mark.parametrize(
    "package", [LIVEKIT_CLIENT, pytest.param(OLD_LIVEKIT_CLIENT, marks=pytest.mark.lengthy)]
)

PUBLISH = """
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d');
  context.fillStyle = 'rgb(200, 200, 200)';
  setInterval(() => context.fillRect(0, 0, 640, 360), 66);
  await room.connect(url, token);
  const picture = canvas.captureStream(15).getVideoTracks()[0];
  const { track } = await room.localParticipant.publishTrack(picture, { videoCodec: 'CODEC' });
  window.sender = track.sender;
"""

SENT = """
  const stats = await sender.getStats();
  const outbound = [...stats.values()].find(({ type }) => type === 'outbound-rtp');
  console.log('sends', stats.get(outbound.codecId).mimeType);
"""


@PACKAGES
@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1", "H264"])
async def test_the_codec_asked_for_is_sent_and_shown(
    codec: str,
    package: str,
    open_page: OpenPage,
    room_server: RoomServerUnderTest,
    room_name: str,
    join: Join,
) -> None:
    viewer = await join("viewer")
    events = RoomEvents(viewer, "track_subscribed")
    client = await open_page(room_server.token("page", room_name), package)
    await client.run(PUBLISH.replace("CODEC", codec.lower()))
    track, publication, _ = await events.next("track_subscribed")
    assert publication.mime_type == f"video/{codec}"
    assert await shows(track, 186)  # what 200 of 255 is in the range of video
    await client.run(SENT)
    assert await client.console.says("sends ") == f"sends video/{codec}"
