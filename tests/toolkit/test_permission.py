import json
import logging

import pytest

from toolkit.caller import Caller
from toolkit.errors import NotAllowed
from toolkit.permission import role
from toolkit.settings import ToolSettings
from toolkit.tool import tool
from toolkit.toolbox import Toolbox
from tools.describe_tools import describe_tools


@tool(allow=role("admin", "owner"))
async def close_shop() -> str:
    """Close the shop."""
    return "closed"


@tool(needs_approval=True, confidential=True)
async def read_diary() -> str:
    """Read the diary."""
    return "dear diary"


async def test_describe_tools_says_what_a_tool_takes() -> None:
    async with Toolbox([describe_tools, close_shop, read_diary], ToolSettings()) as toolbox:
        described = await describe_tools.call({}, toolbox.context(with_role("owner")))
        by_name = {each["name"]: each for each in json.loads(described)["tools"]}
        assert by_name["closeShop"]["roles"] == ["admin", "owner"]
        assert not by_name["closeShop"]["needsApproval"]
        assert by_name["readDiary"]["needsApproval"]
        assert by_name["readDiary"]["confidential"]
        assert "roles" not in by_name["readDiary"]
        others = json.loads(await describe_tools.call({}, toolbox.context(with_role("guest"))))
        assert "closeShop" not in [each["name"] for each in others["tools"]]


def with_role(roles: str, *, vouched: bool = True) -> Caller:
    return Caller("anna", attributes={"role": roles}, vouched=vouched)


@pytest.mark.parametrize("caller", [with_role("admin"), with_role("guest, owner")])
async def test_a_role_that_the_token_gives(caller: Caller) -> None:
    async with Toolbox([close_shop], ToolSettings()) as toolbox:
        assert await toolbox.call("closeShop", {}, caller) == "closed"


@pytest.mark.parametrize(
    "caller",
    [
        None,
        Caller("anna", vouched=True),
        with_role("guest"),
        with_role("administrator"),
        with_role(""),
        with_role("admin", vouched=False),
    ],
)
async def test_everybody_else_is_refused(caller: Caller | None) -> None:
    async with Toolbox([close_shop], ToolSettings()) as toolbox:
        with pytest.raises(NotAllowed, match="may not use closeShop") as caught:
            await toolbox.call("closeShop", {}, caller)
    assert caught.value.code == 403


async def test_a_refused_caller_learns_nothing_of_the_arguments() -> None:
    async with Toolbox([close_shop], ToolSettings()) as toolbox:
        with pytest.raises(NotAllowed):
            await toolbox.call("closeShop", {"wrong": 1}, Caller("bob"))


async def test_a_permission_that_fails_allows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Caller) -> bool:
        raise KeyError("no such thing")

    @tool(allow=broken)
    async def anything() -> None:
        """Do anything."""

    async with Toolbox([anything], ToolSettings()) as toolbox:
        with caplog.at_level(logging.ERROR), pytest.raises(NotAllowed):
            await toolbox.call("anything", {}, Caller("anna"))
    assert "permission check of anything failed" in caplog.text
