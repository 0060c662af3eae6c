import json

import pytest

from toolkit.errors import OperationFailed
from toolkit.toolbox import Toolbox
from tools import risky_operation


@pytest.mark.parametrize("payload", ['{"fail": true}', "data", '"data"', '{"data": "data"}'])
async def test_it_fails_on_demand(
    toolbox: Toolbox, caplog: pytest.LogCaptureFixture, payload: str
) -> None:
    arguments = risky_operation.parse_payload(payload)
    with pytest.raises(OperationFailed, match=r"^Operation failed$"):
        await toolbox.call("riskyOperation", arguments)
    assert "failed on request" in caplog.text


@pytest.mark.parametrize(
    ("payload", "result"), [("", ""), ("other", "other"), ('{"fail": false, "data": "x"}', "x")]
)
async def test_otherwise_it_succeeds(toolbox: Toolbox, payload: str, result: str) -> None:
    answer = await toolbox.call("riskyOperation", risky_operation.parse_payload(payload))
    assert json.loads(answer) == {"success": True, "result": result}
