"""The constructor of App checks its arguments."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, cast

import pytest
from livekit.agents import Agent, RunContext, function_tool
from livekit.plugins import openai
from pydantic import BaseModel, Field

from agent import App, Handoff, Limits, Persona, Turn
from agent.app.app_error import AppError
from agent.app.app_settings import read_app_settings
from agent.config.settings_error import SettingsError
from toolkit import ToolContext, tool


@tool
async def find_order(number: str) -> str:
    """Find an order."""
    return f"order {number}"


@tool(name="findOrder")
async def find_another() -> str:
    """Find an order in another way."""
    return ""


async def look_up(turn: Turn) -> None:
    """A hook that does nothing."""


async def pass_on(turn: Turn, text: AsyncIterable[str]) -> AsyncIterator[str]:
    """A filter that changes nothing."""
    async for piece in text:
        yield piece


def not_async(turn: Turn) -> None: ...


class Billing(Agent):
    """An agent of livekit-agents."""


def for_a_person(room: object, person: object) -> Billing:
    return Billing(instructions=f"You know {person} in {room}.")


def ears_with_a_voice(voice: str) -> Any:  # noqa: ANN401 - it is never called
    return voice


def fast_mouth(voice: str, speed: float) -> Any:  # noqa: ANN401 - it is never called
    return voice, speed


async def waiting() -> Any:  # noqa: ANN401 - it is never called
    raise AssertionError


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "no agents": (lambda: App({}), "App: agents is empty, expected at least one agent"),
    "an STT": (
        lambda: App(stt=cast("Any", 3)),
        "App: stt is a int, expected STT of livekit-agents, or a function that makes one",
    ),
    "an STT with a voice": (
        lambda: App({"a": Persona("A", stt=ears_with_a_voice)}),
        "App: the stt of a needs voice, expected language or less",
    ),
    "a TTS": (
        lambda: App(tts=fast_mouth),
        "App: tts needs speed, expected voice and language or less",
    ),
    "a TTS that waits": (
        lambda: App({"a": Persona("A", tts=cast("Any", waiting))}),
        "App: the tts of a is an async function, expected one that makes it at once",
    ),
    "a model that waits": (
        lambda: App(llm=["gpt-4.1", cast("Any", waiting)]),
        "App: llm is an async function, expected one that makes it at once",
    ),
    "a model with a name": (
        lambda: App(models={"fast": cast("Any", for_a_person)}),
        "App: models['fast'] needs room, person, expected no parameters",
    ),
    "a history without methods": (
        lambda: App(history=cast("Any", {})),
        "App: history is dict, which has no add, save, load, newest, threads",
    ),
    "default": (
        lambda: App({"a": Persona("A")}, default="b"),
        "App: there is no agent 'b'; the agents are: a",
    ),
    "both": (
        lambda: App({"a": Persona("A")}, instructions="B"),
        "App: instructions and greeting are for an app without agents",
    ),
    "livekit agent": (
        lambda: App({"billing": Billing}),
        "App: the agent billing cannot be made: its class needs instructions, expected no "
        "parameter, or `room` alone; give a function that makes it",
    ),
    "instance": (
        lambda: App({"billing": cast("Any", Billing(instructions="You know invoices."))}),
        "App: the agent billing is a Billing, expected a Persona, an Agent class, or a function "
        "that makes an Agent: a session of its own needs an agent of its own",
    ),
    "two parameters": (
        lambda: App({"billing": for_a_person}),
        "App: the agent billing cannot be made: its function needs room, person, expected no "
        "parameter, or `room` alone; give a function that makes it",
    ),
    "no tool": (
        lambda: App(tools=[cast("Any", look_up)]),
        "App: look_up is not a tool: write @tool (toolkit) or @function_tool above it",
    ),
    "two tools": (
        lambda: App(
            {"a": Persona("A", tools=[find_order]), "b": Persona("B", tools=[find_another])}
        ),
        "App: two tools are called findOrder",
    ),
    "hook": (
        lambda: App(before_answer=cast("Any", not_async)),
        "App: before_answer must be an async function, got tests.agent.app.test_app.not_async",
    ),
    "filter": (
        lambda: App(on_text=cast("Any", look_up)),
        "App: on_text must be an async generator function, got tests.agent.app.test_app.look_up",
    ),
    "model": (
        lambda: App(llm=cast("Any", 5)),
        "App: llm has a int, expected an LLM of livekit-agents, a function that makes one, or a "
        "name",
    ),
    "realtime model": (
        lambda: App(llm=cast("Any", openai.realtime.RealtimeModel(api_key="of no account"))),
        "App: llm has a RealtimeModel, expected an LLM of livekit-agents, a function that makes "
        "one, or a name: a realtime model is for a Persona or a livekit Agent",
    ),
    "profile of a profile": (
        lambda: App(models={"fast": "slow", "slow": "gpt"}),
        "App: models['fast'] names 'slow', expected a model and no other profile",
    ),
    "no models": (lambda: App(llm=[]), "App: llm is empty, expected at least one model"),
    "timeout": (
        lambda: App(hook_timeout=0),
        "App: hook_timeout is 0, expected more than 0",
    ),
    "limits": (
        lambda: Limits(tool_steps=100),
        "Limits: tool_steps is 100, expected 0 to 32",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_impossible_app_is_one_sentence(what: str) -> None:
    make, sentence = WRONG[what]
    with pytest.raises(AppError) as caught:
        make()
    assert str(caught.value) == sentence


def test_the_first_agent_is_the_default_one() -> None:
    app = App({"triage": Persona("T"), "billing": Persona("B")}, on_text=pass_on)
    assert app.default == "triage"


def test_an_agent_has_the_tools_of_all_and_its_own() -> None:
    @tool
    async def pay() -> str:
        """Pay."""
        return ""

    app = App(
        {"triage": Persona("T"), "billing": Persona("B", tools=[pay])},
        tools=[find_order],
    )
    assert [each.name for each in app.tools] == ["findOrder", "pay"]
    offered = {
        agent: [name for name in ("findOrder", "pay", "docs_search") if app.offers(agent, name)]
        for agent in app.personas
    }
    assert offered == {
        "triage": ["findOrder", "docs_search"],
        "billing": ["findOrder", "pay", "docs_search"],
    }


def test_the_model_service_is_needed_by_those_who_use_it() -> None:
    def own() -> Any:  # noqa: ANN401
        raise NotImplementedError

    assert App().uses_service
    assert App(llm="gpt-4.1").uses_service
    assert not App(llm=own).uses_service
    assert App({"a": Persona("A", llm=own), "b": Persona("B")}).uses_service
    assert not App({"a": Persona("A", llm="mine")}, models={"mine": own}).uses_service
    assert App({"a": Persona("A", llm=[own, "mine"])}, models={"mine": "gpt-4.1"}).uses_service


class ShopSettings(BaseModel):
    shop_url: str
    shop_key: str = Field(min_length=8)
    shop_pages: int = 3


@tool(settings=ShopSettings)
async def open_shop(context: ToolContext) -> str:
    """Open the shop."""
    return context.settings[ShopSettings].shop_url


def test_settings_of_tools_are_read_from_the_environment() -> None:
    app = App(tools=[open_shop], settings=[ShopSettings])
    environ = {"SHOP_URL": "http://shop.test", "SHOP_KEY": "longenough", "SHOP_PAGES": "5"}
    [settings] = read_app_settings(app.settings, environ)
    assert settings == ShopSettings(
        shop_url="http://shop.test", shop_key="longenough", shop_pages=5
    )


def test_wrong_settings_of_tools_are_named_without_secrets() -> None:
    with pytest.raises(SettingsError) as caught:
        read_app_settings([ShopSettings], {"SHOP_KEY": "short", "SHOP_PAGES": "many"})
    assert caught.value.problems == [
        "SHOP_URL: expected a value",
        "SHOP_KEY: expected at least 8 characters",
        "SHOP_PAGES: expected a whole number, got 'many'",
    ]


def test_a_function_tool_that_needs_a_session_is_refused() -> None:
    @function_tool
    async def look_at_session(context: RunContext[None]) -> str:
        """Look at the session."""
        return ""

    with pytest.raises(AppError, match="the tool look_at_session takes a RunContext"):
        App(tools=[look_at_session])


def test_a_handoff_is_plain_data() -> None:
    assert Handoff("billing") == Handoff("billing", "")
