"""A viewer on a slow link gets a smaller picture, and the large one again when the link is fast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.clients.test_simulcast import BUSY, PUBLISH, VIEW
from tests.slow_link import SlowLink

if TYPE_CHECKING:
    from tests.agent.clients.conftest import OpenPage
    from tests.room_server import RoomServerUnderTest

SCRIPT = Path(__file__).with_name("slow_link.js")
BITS_PER_SECOND = 300_000


@pytest.mark.lengthy
@pytest.mark.timeout(180)
@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_a_viewer_on_a_slow_link_gets_a_smaller_size(
    codec: str, open_page: OpenPage, room_server: RoomServerUnderTest, room_name: str
) -> None:
    publisher = await open_page(room_server.token("publisher", room_name))
    viewer = await open_page(room_server.token("viewer", room_name))
    async with SlowLink() as link:
        await viewer.expose("entrance", link.entrance)
        await viewer.add_script(SCRIPT)
        await publisher.run(PUBLISH.replace("CODEC", codec).replace("  }, 66);\n", BUSY))
        await viewer.run(VIEW + "window.showing = showing;")
        link.bear(BITS_PER_SECOND)
        await viewer.run("await showing(320);")
        link.bear(None)
        await viewer.run("await showing(960, 60_000);")
