import json

from toolkit.clock import now, to_ms
from toolkit.toolbox import Toolbox


async def test_pong_is_the_time_in_milliseconds(toolbox: Toolbox) -> None:
    before = to_ms(now())
    answer = json.loads(await toolbox.call("ping", {}))
    assert list(answer) == ["pong"]
    assert before <= answer["pong"] <= to_ms(now())
