"""Agents of livekit-agents within an answer: tasks, task groups and handoffs, in writing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from livekit.agents import Agent, AgentSession, AgentTask, RunContext, function_tool, llm
from livekit.agents.beta.workflows import TaskGroup
from livekit.agents.llm import ToolFlag
from livekit.agents.llm.async_toolset import AsyncToolset

from agent import App
from devserver.model import DemoModel, Reply
from tests.agent.app.session_room import active_agent, calling, history, offered, read_by, unasked
from tests.agent.conftest import Enter, StartWorker


class AskName(AgentTask[str]):
    """Asks until it has a name."""

    def __init__(self, what: str = "name", chat_ctx: llm.ChatContext | None = None) -> None:
        context = chat_ctx or llm.ChatContext.empty()
        super().__init__(instructions=f"You ask for the {what}.", chat_ctx=context)
        self._what = what

    async def on_enter(self) -> None:
        self.session.say(f"What is your {self._what}?")

    @function_tool
    async def note(self, value: str) -> None:
        """Note what was said."""
        self.complete(value)


class Desk(Agent):
    """Registers people."""

    def __init__(self) -> None:
        super().__init__(instructions="You register people.")

    @function_tool
    async def register(self, context: RunContext[None]) -> str:
        """Register somebody."""
        name = await AskName()
        return f"{name} is registered"


def make_desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("desk", [Desk, make_desk])
async def test_a_task_asks_and_its_agent_goes_on_with_the_result(
    start_worker: StartWorker, enter: Enter, model: DemoModel, desk: Callable[[], Desk]
) -> None:
    worker = await start_worker(app=App({"desk": desk}))
    alice = await enter("alice", worker=worker)
    model.script(calling("register"))
    asked = await alice.ask("Register me")
    assert (asked.text, asked.finish_reason) == ("What is your name?", "stop")
    model.script(Reply("Your own name, please."))
    assert (await alice.ask("A good one")).text == "Your own name, please."
    # livekit-agents tells it of the call that waits for it.
    assert read_by(model) == [
        ("assistant", None),
        ("tool", "The tool call is still in progress."),
        ("system", "You ask for the name."),
        ("assistant", "What is your name?"),
        ("user", "A good one"),
    ]
    model.script(calling("note", '{"value": "Ada"}'), Reply("Welcome, Ada."))
    assert (await alice.ask("Ada")).text == "Welcome, Ada."
    assert ("tool", "Ada is registered") in read_by(model)
    model.script(Reply("Ada."))
    await alice.ask("Who am I?")
    assert [text for role, text in read_by(model) if role == "user"] == [
        "Register me",
        "A good one",
        "Ada",
        "Who am I?",
    ]
    assert {each.get("agent") for each in await history(alice)} == {None, "desk"}
    assert active_agent(alice) == "desk"


async def test_a_task_that_is_stopped_asks_again(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"desk": Desk}))
    alice = await enter("alice", worker=worker)
    model.script(calling("register"))
    await alice.ask("Register me")
    pause = asyncio.Event()
    model.script(Reply("I would like to tell you", pause=pause, after=2))
    told = await alice.say("Why?")
    await alice.begun_answer_to(told)
    await alice.call("stopResponse")
    assert (await alice.answer_to(told)).finish_reason == "cancelled"
    pause.set()
    model.script(calling("note", '{"value": "Ada"}'), Reply("Welcome, Ada."))
    assert (await alice.ask("Ada")).text == "Welcome, Ada."


class Form(Agent):
    """Runs a form task when it enters."""

    def __init__(self) -> None:
        super().__init__(instructions="You have a form filled in.")

    async def on_enter(self) -> None:
        group = TaskGroup()
        group.add(lambda: AskName("name"), id="name", description="the name")
        group.add(lambda: AskName("town"), id="town", description="the town")
        result = await group
        found = result.task_results
        await self.session.say(f"{found['name']} of {found['town']}, thank you.")


async def test_a_group_of_tasks_is_led_from_the_first_word_on(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"form": Form}))
    alice = await enter("alice", worker=worker)
    [first] = await alice.until(lambda: unasked(alice))
    assert first.text == "What is your name?"
    model.script(calling("note", '{"value": "Ada"}'))
    assert (await alice.ask("Ada")).text == "What is your town?"
    # The group summarises the conversation before its agent goes on.
    model.script(calling("note", '{"value": "London"}'), Reply("A summary."))
    assert (await alice.ask("London")).text == "Ada of London, thank you."


class Changing(Agent):
    """Changes what it is."""

    def __init__(self) -> None:
        super().__init__(instructions="You are of the first kind.")

    @function_tool
    async def change(self) -> str:
        """Change."""
        await self.update_instructions("You are of the second kind.")
        await self.update_tools([extra])
        context = self.chat_ctx.copy()
        context.add_message(role="assistant", content="I remember things that nobody said.")
        await self.update_chat_ctx(context)
        return "changed"


@function_tool
async def extra() -> str:
    """Do something else."""
    return "something else"


async def test_an_agent_changes_its_instructions_tools_and_context(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"changing": Changing}))
    alice = await enter("alice", worker=worker)
    model.script(calling("change"), Reply("I have changed."))
    await alice.ask("Change")
    model.script(calling("extra"), Reply("Done."))
    assert (await alice.ask("And now?")).text == "Done."
    assert read_by(model)[0] == ("system", "You are of the second kind.")
    assert ("assistant", "I remember things that nobody said.") in read_by(model)
    assert read_by(model)[-1] == ("tool", "something else")
    assert offered(model) == ["extra"]


async def test_a_tool_says_something_while_it_works(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    class Slow(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You are slow.")

        @function_tool(flags=ToolFlag.IGNORE_ON_ENTER)
        async def search(self, context: RunContext[None]) -> str:
            """Search."""
            assert context.speech_handle.id.startswith("speech_")
            await context.session.say("One moment.")
            return "found"

    worker = await start_worker(app=App({"slow": Slow}))
    alice = await enter("alice", worker=worker)
    model.script(calling("search"), Reply("Here it is."))
    answer = await alice.ask("Search")
    assert answer.text == "One moment.\n\nHere it is."


async def test_a_late_report_of_a_tool_is_an_unasked_answer(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    done = asyncio.Event()

    @function_tool
    async def bake(context: RunContext[None]) -> str:
        """Bake a cake."""
        await context.update("The cake is in the oven.")
        await done.wait()
        return "The cake is done."

    class Baker(Agent):
        def __init__(self) -> None:
            super().__init__(
                instructions="You bake.", tools=[AsyncToolset(id="baking", tools=[bake])]
            )

    worker = await start_worker(app=App({"baker": Baker}))
    alice = await enter("alice", worker=worker)
    model.script(calling("bake"), Reply("I am baking."))
    assert (await alice.ask("A cake")).text == "I am baking."
    model.script(Reply("Your cake is done."))
    done.set()
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "Your cake is done."


@dataclass
class Data:
    previous: Agent | None = None


async def test_a_session_that_ends_by_itself_is_started_again(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    class Hurried(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You are in a hurry.")

        @function_tool
        async def leave(self, context: RunContext[None]) -> None:
            """Leave."""
            context.session.say("Goodbye.")
            context.session.shutdown()

    made: list[Agent] = []

    def make() -> Agent:
        made.append(Hurried())
        return made[-1]

    worker = await start_worker(app=App({"hurried": make}))
    alice = await enter("alice", worker=worker)
    model.script(calling("leave"))
    assert (await alice.ask("Go")).text == "Goodbye."
    model.script(Reply("Back again."))
    assert (await alice.ask("Are you there?")).text == "Back again."
    assert len(made) == 2
    assert [text for role, text in read_by(model) if role == "user"] == ["Go", "Are you there?"]


async def test_an_agent_that_a_session_keeps_is_the_one_that_answers(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    class Other(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You are the other one.")

        @function_tool
        async def back(self, context: RunContext[Data]) -> Agent:
            """Go back."""
            assert context.userdata.previous is not None
            return context.userdata.previous

    class First(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You are the first one.")

        @function_tool
        async def other(self, context: RunContext[Data]) -> tuple[Agent, str]:
            """Go to the other one."""
            context.userdata.previous = self
            return Other(), "off you go"

    def make() -> tuple[AgentSession[Data], Agent]:
        session = AgentSession[Data](
            userdata=Data(), vad=None, turn_handling={"turn_detection": None}
        )
        return session, First()

    worker = await start_worker(app=App({"first": make}))
    alice = await enter("alice", worker=worker)
    model.script(calling("other"), Reply("Go there."))
    await alice.ask("One")
    model.script(calling("back"))
    silent = await alice.ask("Two")
    assert (silent.text, silent.finish_reason) == ("", "stop")
    model.script(Reply("Three."))
    await alice.ask("Three")
    assert read_by(model)[0] == ("system", "You are the first one.")
