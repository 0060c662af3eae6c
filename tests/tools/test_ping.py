import json

from tools.clock import now, to_ms
from tools.toolbox import Toolbox


async def test_pong_is_the_time_in_milliseconds(toolbox: Toolbox) -> None:
    before = to_ms(now())
    answer = json.loads(await toolbox.call("ping", {}))
    assert list(answer) == ["pong"]
    assert before <= answer["pong"] <= to_ms(now())
