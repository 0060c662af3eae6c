"""agent.testing, as the tests of an app use it."""

from __future__ import annotations

import pytest
from livekit.agents import Agent, function_tool

from agent import App, Handoff, Persona, Turn
from agent.config.settings import Settings
from agent.testing import AppTest, app_test
from devserver.model import Reply, tool_call
from toolkit import Source, ToolContext, role, tool


@tool
async def find_order(number: int) -> str:
    """Find an order by its number."""
    return f"order {number} is on its way"


@tool
async def to_billing() -> Handoff:
    """Hand over to billing."""
    return Handoff("billing")


@tool(allow=role("clerk"))
async def refund(context: ToolContext) -> str:
    """Refund an order."""
    assert context.caller is not None
    return f"refunded by {context.caller.identity}"


async def look_up(turn: Turn) -> None:
    if "rules" in turn.text:
        turn.add_context("Goods may be returned.", Source("Rules", "https://example.com/rules"))


def shop() -> App:
    return App(
        {
            "desk": Persona("You are the desk.", greeting="Hello.", tools=[find_order, to_billing]),
            "billing": Persona("You are billing.", tools=[refund]),
        },
        before_answer=look_up,
    )


async def test_a_call_is_seen_with_its_arguments_and_its_result() -> None:
    async with AppTest(shop()) as test:
        alice = await test.enter("alice")
        assert await alice.told() == "Hello."
        test.model.script(
            Reply(tool_calls=[tool_call("findOrder", '{"number": 17}')]), Reply("It is on its way.")
        )
        answer = await alice.ask("Where is 17?")
        assert (answer.text, answer.finish_reason) == ("It is on its way.", "stop")
        [call] = answer.calls
        assert (call.name, call.arguments) == ("findOrder", {"number": 17})
        assert (call.result, call.failed) == ("order 17 is on its way", False)
        expect = answer.expect
        expect.next_event().is_function_call(name="findOrder", arguments={"number": 17})
        expect.next_event().is_function_call_output(output="order 17 is on its way")
        expect.next_event().is_message(role="assistant")
        expect.no_more_events()
        with pytest.raises(AssertionError):
            answer.expect.contains_function_call(name="refund")


async def test_handoffs_parts_and_roles_are_seen() -> None:
    async with AppTest(shop()) as test:
        clerk = await test.enter("carol", attributes={"role": "clerk"})
        test.model.script(Reply(tool_calls=[tool_call("toBilling")]), Reply("Billing here."))
        answer = await clerk.ask("The rules of my invoice")
        assert answer.handoffs == (("desk", "billing"),)
        assert [part["title"] for part in answer.shown("source")] == ["Rules"]
        answer.expect.contains_agent_handoff()
        test.model.script(Reply(tool_calls=[tool_call("refund")]), Reply("Done."))
        [call] = (await clerk.ask("Refund it", private=True)).calls
        assert call.name == "refund"


async def test_a_failed_answer_is_an_exchange_too() -> None:
    async with AppTest(App(instructions="Be."), LLM_RETRIES="0") as test:
        alice = await test.enter("alice")
        test.model.script(Reply(status=500))
        failed = await alice.ask("Hello")
        assert failed.finish_reason == "error"
        assert not failed.calls


class Greeter(Agent):
    """Greets and knows the time."""

    def __init__(self) -> None:
        super().__init__(instructions="You know the time.")

    async def on_enter(self) -> None:
        await self.session.say("What time do you want?")

    @function_tool
    async def tell_time(self, place: str) -> str:
        """Tell the time of a place."""
        return f"noon in {place}"


async def test_a_livekit_agent_is_tested_alike() -> None:
    async with AppTest(App({"clock": Greeter})) as test:
        alice = await test.enter("alice")
        assert await alice.told() == "What time do you want?"
        test.model.script(
            Reply(tool_calls=[tool_call("tell_time", '{"place": "Rome"}')]), Reply("Noon.")
        )
        answer = await alice.ask("Rome")
        answer.expect.contains_function_call(name="tell_time", arguments={"place": "Rome"})
        assert answer.calls[0].result == "noon in Rome"


async def test_metadata_chooses_the_agent() -> None:
    async with AppTest(shop(), metadata='{"agent": "billing"}') as test:
        alice = await test.enter("alice")
        test.model.script(Reply("Billing."))
        await alice.ask("Who is it?")
        assert test.model.requests[-1].chat.messages[0].text == "You are billing."


@pytest.mark.parametrize(
    ("environ", "is_real"),
    [
        ({"OPENAI_API_KEY": "a key"}, True),
        ({"OPENAI_API_KEY": " "}, False),
        ({"OPENAI_BASE_URL": ""}, False),
        ({"LLM_MODEL": "gpt-5"}, False),
    ],
)
async def test_a_key_alone_is_for_openai(
    environ: dict[str, str], is_real: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BegunError(Exception):
        """The worker would be made now."""

    def host(settings: Settings, *_: object) -> None:
        raise BegunError(settings.openai_base_url)

    monkeypatch.setattr(app_test, "RoomHost", host)
    with pytest.raises(BegunError) as begun:
        await AppTest(App(instructions="Be."), **environ).__aenter__()
    assert (str(begun.value) == "https://api.openai.com/v1") is is_real
