import json
from dataclasses import replace

import pytest

from toolkit.caller import Caller
from toolkit.context import ToolContext
from toolkit.errors import NotFound, Unavailable
from toolkit.settings import ToolSettings
from toolkit.tool import Tool, tool
from toolkit.toolbox import Toolbox
from tools import TOOLS, describe_tools, ping


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


async def test_describe_tools() -> None:
    async with Toolbox(TOOLS, ToolSettings()) as toolbox:
        described = json.loads(await toolbox.call("describeTools", {}))
        assert [each["name"] for each in described["tools"]] == list(toolbox.names)
        for each in described["tools"]:
            assert each["description"]
            assert not each["needsApproval"]
            assert "roles" not in each
            assert each["parameters"] == toolbox.get(each["name"]).json_schema()


async def test_tools_that_come_and_go() -> None:
    later: list[Tool] = []
    async with Toolbox([ping], ToolSettings(), more=lambda: later) as toolbox:
        chosen = toolbox.only(["ping", "whoAsks"])
        assert toolbox.names == chosen.names == ("ping",)
        later.append(who_asks)
        assert toolbox.names == chosen.names == ("ping", "whoAsks")
        assert toolbox.only(["ping"]).names == ("ping",)
        assert await chosen.call("whoAsks", {}, Caller("anna", "Anna")) == "Anna"
        later.clear()
        with pytest.raises(NotFound):
            await chosen.call("whoAsks", {})


async def test_one_that_comes_takes_no_name_away() -> None:
    impostor = replace(who_asks, name="ping")
    async with Toolbox([ping], ToolSettings(), more=lambda: [impostor]) as toolbox:
        assert toolbox.get("ping") is ping
        assert len(toolbox) == 1


async def test_describe_tools_leaves_out_what_the_caller_cannot_call() -> None:
    @tool(rpc=False)
    async def for_the_model() -> None:
        """Do it."""

    @tool(allow=lambda caller: caller.identity == "anna")
    async def for_anna() -> None:
        """Do it."""

    async def names(caller: Caller | None) -> list[str]:
        described = json.loads(await toolbox.call("describeTools", {}, caller))
        return [each["name"] for each in described["tools"]]

    async with Toolbox([for_the_model, for_anna, describe_tools], ToolSettings()) as toolbox:
        assert await names(Caller("anna")) == ["forAnna", "describeTools"]
        assert await names(Caller("bob")) == await names(None) == ["describeTools"]
