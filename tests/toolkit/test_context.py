import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

import pytest

from toolkit.context import Progress, ToolContext
from toolkit.errors import InvalidArguments, NotAllowed
from toolkit.settings import ToolSettings
from toolkit.tool import Tool, tool
from toolkit.toolbox import Toolbox


@pytest.fixture
async def context() -> AsyncGenerator[ToolContext]:
    async with Toolbox([], ToolSettings()) as toolbox:
        yield toolbox.context()


async def test_progress_goes_to_its_listener(context: ToolContext) -> None:
    said: list[Progress] = []

    @tool
    async def work(context: ToolContext) -> None:
        """Work."""
        context.progress(0.4, "Reading")
        context.progress(text="x" * 1000)
        context.progress(7)
        context.progress(math.nan)

    await work.call({}, context)
    await work.call({}, replace(context, report=said.append))
    assert said[0] == Progress(0.4, "Reading")
    assert said[1] == Progress(None, "x" * 200)
    assert [each.fraction for each in said[2:]] == [1.0, None]


@tool(needs_approval=True, timeout=0.05)
async def send_mail(to: str) -> str:
    """Send a mail."""
    return f"sent to {to}"


async def test_approval_is_asked_for_once_the_arguments_are_right(context: ToolContext) -> None:
    asked: list[tuple[str, Mapping[str, object]]] = []

    async def approve(tool: Tool, arguments: Mapping[str, object]) -> None:
        asked.append((tool.name, arguments))

    context = replace(context, approve=approve)
    with pytest.raises(InvalidArguments):
        await send_mail.call({"to": 5}, context)
    assert not asked
    assert await send_mail.call({"to": "bob"}, context) == "sent to bob"
    assert asked == [("sendMail", {"to": "bob"})]


async def test_an_unapproved_call_does_not_run(context: ToolContext) -> None:
    async def refuse(_: Tool, __: Mapping[str, object]) -> None:
        raise NotAllowed("Anna did not approve: too late")

    with pytest.raises(NotAllowed, match="too late"):
        await send_mail.call({"to": "bob"}, replace(context, approve=refuse))


async def test_without_somebody_to_ask_it_is_refused(context: ToolContext) -> None:
    with pytest.raises(NotAllowed, match="nobody to ask"):
        await send_mail.call({"to": "bob"}, context)


async def test_the_time_that_approval_takes_is_not_the_tools(context: ToolContext) -> None:
    async def approve(_: Tool, __: Mapping[str, object]) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(send_mail.timeout * 2):
                await asyncio.Event().wait()

    assert await send_mail.call({"to": "bob"}, replace(context, approve=approve)) == "sent to bob"
