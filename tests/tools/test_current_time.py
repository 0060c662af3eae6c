import re
from datetime import datetime, timedelta

import pytest

from toolkit.clock import now
from toolkit.errors import InvalidArguments
from toolkit.toolbox import Toolbox

MILLISECOND = timedelta(milliseconds=1)


async def test_utc_as_javascript_writes_it(toolbox: Toolbox) -> None:
    before = now()
    text = await toolbox.call("getCurrentTime", {})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert before - MILLISECOND <= datetime.fromisoformat(text) <= now()


async def test_a_zone_has_its_offset(toolbox: Toolbox) -> None:
    text = await toolbox.call("getCurrentTime", {"timezone": "Asia/Kolkata"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+05:30", text)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "../../etc/passwd", "/etc", "\0", ""])
async def test_unknown_zones(toolbox: Toolbox, zone: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        await toolbox.call("getCurrentTime", {"timezone": zone})
    assert list(caught.value.fields) == ["timezone"]
