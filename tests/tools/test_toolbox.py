import json

import pytest

from tools import TOOLS, ping
from tools.context import Caller, ToolContext
from tools.errors import NotFound, Unavailable
from tools.settings import ToolSettings
from tools.tool import tool
from tools.toolbox import Toolbox


@tool
async def who_asks(context: ToolContext) -> str | None:
    """Say who asks."""
    return context.caller and context.caller.name


async def test_tools_by_name() -> None:
    async with Toolbox(TOOLS, ToolSettings()) as toolbox:
        assert toolbox.names == tuple(tool.name for tool in TOOLS)
        assert tuple(toolbox) == TOOLS
        assert len(toolbox) == len(TOOLS)
        assert toolbox.get("ping") is ping
        with pytest.raises(NotFound, match="No such tool"):
            await toolbox.call("Ping", {})


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="two tools are called ping"):
        Toolbox([ping, ping], ToolSettings())


async def test_the_caller_reaches_the_tool() -> None:
    async with Toolbox([who_asks], ToolSettings()) as toolbox:
        assert await toolbox.call("whoAsks", {}, Caller("anna", "Anna")) == "Anna"
        assert await toolbox.call("whoAsks", {}) == "null"


async def test_one_session_until_it_is_closed() -> None:
    async with Toolbox([ping], ToolSettings()) as toolbox:
        http = toolbox.context().http
        assert toolbox.context().http is http
        assert not http.closed
    assert http.closed
    with pytest.raises(Unavailable, match="Shutting down"):
        await toolbox.call("ping", {})


async def test_describe_tools(toolbox: Toolbox) -> None:
    described = json.loads(await toolbox.call("describeTools", {}))
    assert [each["name"] for each in described["tools"]] == list(toolbox.names)
    for each in described["tools"]:
        assert each["description"]
        assert each["parameters"] == toolbox.get(each["name"]).json_schema()
