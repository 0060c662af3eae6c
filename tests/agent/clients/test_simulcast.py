"""A picture in several sizes: who sees it gets the one that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit import rtc

from tests.agent.clients.browser import LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT
from tests.devserver.published_media import comes_with_width
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.agent.clients.conftest import OpenPage
    from tests.conftest import Join
    from tests.room_server import RoomServerUnderTest

PACKAGES = pytest.mark.parametrize(
    "package", [LIVEKIT_CLIENT, pytest.param(OLD_LIVEKIT_CLIENT, marks=pytest.mark.lengthy)]
)

PUBLISH = """
  const canvas = Object.assign(document.createElement('canvas'), { width: 960, height: 540 });
  const context = canvas.getContext('2d');
  let shade = 0;
  setInterval(() => {
    context.fillStyle = `rgb(${(shade += 5) % 256}, 100, 100)`;
    context.fillRect(0, 0, 960, 540);
  }, 66);
  await room.connect(url, token);
  const picture = canvas.captureStream(15).getVideoTracks()[0];
  // A busy machine gets fewer frames, not smaller ones.
  const degradationPreference = 'maintain-resolution';
  await room.localParticipant.publishTrack(picture, { videoCodec: 'CODEC', degradationPreference });
"""

# A picture that takes as many bits as its layers may have.
BUSY = """
    for (let spot = 0; spot < 600; spot++) {
      context.fillStyle = `hsl(${Math.random() * 360}, 90%, ${Math.random() * 100}%)`;
      context.fillRect(Math.random() * 960, Math.random() * 540, 25, 25);
    }
  }, 66);
"""

VIEW = """
  import { VideoQuality } from 'livekit-client';

  const subscribed = new Promise((next) =>
    room.on('trackSubscribed', (track, publication) => next([track, publication])),
  );
  await room.connect(url, token);
  const [track, publication] = await subscribed;
  const video = track.attach();
  document.body.append(video);
  console.log('simulcasted', publication.simulcasted);
  const showing = (width, within = 20_000) =>
    new Promise((shown, fail) => {
      const giveUp = () => fail(new Error(`shows ${video.videoWidth} instead of ${width}`));
      const bound = setTimeout(giveUp, within);
      const look = () => {
        if (video.videoWidth !== width) return;
        clearTimeout(bound);
        video.removeEventListener('resize', look);
        shown();
      };
      video.addEventListener('resize', look);
      look();
    });
  await showing(960);
"""

QUALITIES = """
  publication.setVideoQuality(VideoQuality.LOW);
  await showing(320);
  publication.setVideoQuality(VideoQuality.MEDIUM);
  await showing(640);
  publication.setVideoQuality(VideoQuality.HIGH);
  await showing(960);
  console.log('done');
"""

SIZES = """
  publication.setVideoDimensions({ width: 160, height: 90 });
  await showing(320);
  publication.setVideoDimensions({ width: 640, height: 360 });
  await showing(640);
  publication.setEnabled(false);
  publication.setVideoDimensions({ width: 1920, height: 1080 });
  publication.setEnabled(true);
  await showing(960);
  console.log('done');
"""

VISIBLE = """
  video.style.width = '100px';
  await showing(320);
  video.style.width = '900px';
  await showing(960);
  console.log('done');
"""


@PACKAGES
@pytest.mark.parametrize(
    ("wishes", "codec"), [(QUALITIES, "vp8"), (QUALITIES, "h264"), (SIZES, "vp8")]
)
async def test_a_viewer_gets_the_size_it_asks_for(
    wishes: str,
    codec: str,
    package: str,
    open_page: OpenPage,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    publisher = await open_page(room_server.token("publisher", room_name))
    viewer = await open_page(room_server.token("viewer", room_name), package)
    await publisher.run(PUBLISH.replace("CODEC", codec))
    await viewer.run(VIEW + wishes)
    assert await viewer.console.says("simulcasted") == "simulcasted true"
    await viewer.console.says("done")


async def test_a_viewer_gets_the_size_that_it_shows(
    open_page: OpenPage, room_server: RoomServerUnderTest, room_name: str
) -> None:
    publisher = await open_page(room_server.token("publisher", room_name))
    options = {"adaptiveStream": {"pixelDensity": 1}}
    viewer = await open_page(room_server.token("viewer", room_name), options=options)
    await publisher.run(PUBLISH.replace("CODEC", "vp8"))
    view = VIEW.replace("document.body", "video.style.width = '900px';\n  document.body")
    await viewer.run(view + VISIBLE)
    await viewer.console.says("done")


async def test_each_viewer_gets_its_own_size(
    open_page: OpenPage, room_server: RoomServerUnderTest, room_name: str, join: Join
) -> None:
    python = await join("python")
    events = RoomEvents(python, "track_subscribed")
    publisher = await open_page(room_server.token("publisher", room_name))
    viewer = await open_page(room_server.token("viewer", room_name))
    await publisher.run(PUBLISH.replace("CODEC", "vp8"))
    await viewer.run(VIEW + "publication.setVideoQuality(VideoQuality.LOW);\n  await showing(320);")
    track, publication, _ = await events.next("track_subscribed")
    assert publication.simulcasted
    await comes_with_width(track, 960)
    publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
    await comes_with_width(track, 320)


BUSY_PUBLISH = PUBLISH.replace("CODEC", "vp8").replace("  }, 66);\n", BUSY)


async def test_a_viewer_that_simulates_a_slow_connection_gets_a_smaller_size(
    open_page: OpenPage, room_server: RoomServerUnderTest, room_name: str
) -> None:
    publisher = await open_page(room_server.token("publisher", room_name))
    viewer = await open_page(room_server.token("viewer", room_name))
    await publisher.run(BUSY_PUBLISH)
    await viewer.run(
        VIEW
        + """
  await room.simulateScenario('subscriber-bandwidth', 250_000);
  await showing(320);
  console.log('done');
"""
    )
    await viewer.console.says("done")
