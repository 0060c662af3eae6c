"""A call's time stands still while a person is asked."""

from __future__ import annotations

import asyncio

import pytest

from toolkit import TimedOut, Toolbox, ToolContext, ToolSettings, tool
from toolkit.questions import Elicitation, Elicited


@tool(timeout=0.05)
async def ask_twice(context: ToolContext) -> str:
    """Ask twice at once."""
    answers = await asyncio.gather(context.elicit("One?"), context.elicit("Two?"))
    return " ".join(each.action for each in answers)


@tool(timeout=0.05)
async def ask_and_hang(context: ToolContext) -> str:
    """Ask, and never answer."""
    await context.elicit("Well?")
    await asyncio.Event().wait()
    return ""


@tool(timeout=0.05)
async def have_it_asked(context: ToolContext) -> str:
    """Have another tool ask."""
    return await ask_twice.call({}, context)


async def slow(question: Elicitation) -> Elicited:
    """Takes longer than the tools have, and not equally long."""
    await asyncio.sleep(0.2 if question.message == "One?" else 0.1)
    return Elicited("accept")


async def test_it_stands_still_while_somebody_is_asked() -> None:
    async with Toolbox([ask_twice], ToolSettings()) as tools:
        context = tools.context().with_answers(slow)
        assert await ask_twice.call({}, context) == "accept accept"


async def test_it_goes_on_afterwards() -> None:
    async with Toolbox([ask_and_hang], ToolSettings()) as tools:
        context = tools.context().with_answers(slow)
        with pytest.raises(TimedOut, match="took longer than"):
            await ask_and_hang.call({}, context)


async def test_it_stands_still_for_the_caller_of_a_tool_that_asks() -> None:
    async with Toolbox([ask_twice, have_it_asked], ToolSettings()) as tools:
        context = tools.context().with_answers(slow)
        assert await have_it_asked.call({}, context) == "accept accept"
