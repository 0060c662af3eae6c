"""Handoffs between livekit-agents' own Agent classes, and between them and personas."""

from __future__ import annotations

import json

from livekit.agents import (
    Agent,
    function_tool,
    llm,
)

from agent import App, Handoff, Persona, Room
from devserver.model import DemoModel, Reply
from tests.agent.app.session_room import (
    Archive,
    calling,
    history,
    read_by,
)
from tests.agent.conftest import Enter, StartWorker
from toolkit import tool


class Triage(Agent):
    """Finds out what it is about."""

    def __init__(self) -> None:
        super().__init__(instructions="You find out what it is about.")

    @function_tool
    async def to_billing(self) -> Agent:
        """Hand over to billing."""
        return Billing(chat_ctx=self.chat_ctx)

    @function_tool
    async def to_archive(self) -> tuple[Agent, str]:
        """Hand over to the archive."""
        return Archive(), "The archive takes over."


class Billing(Agent):
    """Knows invoices; speaks when it enters."""

    def __init__(self, chat_ctx: llm.ChatContext | None = None) -> None:
        super().__init__(instructions="You know invoices.", chat_ctx=chat_ctx)

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Say who you are.")


async def test_it_hands_over_within_an_answer(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"triage": Triage, "billing": Billing}))
    alice = await enter("alice", worker=worker)
    model.script(calling("to_billing"), Reply("I am billing."))
    asked = await alice.say("My invoice is wrong.")
    answer = await alice.answer_to(asked)
    assert answer.text == "I am billing."
    assert ("user", "My invoice is wrong.") in read_by(model)
    [call, handoff] = await alice.parts_of(asked)
    assert (call["name"], handoff["from"], handoff["to"]) == ("to_billing", "triage", "billing")
    await alice.until(
        lambda: (
            alice.agent is not None
            and json.loads(alice.agent.attributes["agent.active"])["name"] == "billing"
        )
    )
    model.script(Reply("It is 12 euros."))
    await alice.ask("How much is it?")
    assert read_by(model)[0] == ("system", "You know invoices.")
    stored = await history(alice)
    assert [each.get("agent") for each in stored if each["role"] == "assistant"] == [
        "billing",
        "billing",
    ]


async def test_the_target_of_a_handoff_may_begin_without_context_and_is_shown_by_its_id(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"triage": Triage}))
    alice = await enter("alice", worker=worker)
    model.script(calling("to_archive"), Reply("The archive will see to it."))
    await alice.ask("Something old.")
    await alice.until(
        lambda: (
            alice.agent is not None
            and json.loads(alice.agent.attributes["agent.active"])["name"] == "archive"
        )
    )
    model.script(Reply("In 1912."))
    await alice.ask("When was that?")
    assert read_by(model) == [("system", "You know old things."), ("user", "When was that?")]


async def test_a_persona_hands_to_an_agent_which_answers_or_speaks_for_itself(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool
    async def hand_to(name: str) -> Handoff:
        """Hand over."""
        return Handoff(name, "She is in a hurry.")

    app = App(
        {
            "front": Persona("You are the desk.", tools=[hand_to]),
            "billing": Billing,
            "archive": Archive,
        }
    )
    worker = await start_worker(app=app)
    alice = await enter("alice", worker=worker)
    model.script(calling("handTo", '{"name": "archive"}'), Reply("I look it up."))
    asked = await alice.say("Something old.")
    assert (await alice.answer_to(asked)).text == "I look it up."
    assert read_by(model)[:2] == [("system", "You know old things."), ("user", "Something old.")]
    assert read_by(model)[-1] == (
        "tool",
        "You are archive from here on, and go on with the conversation: She is in a hurry.",
    )
    model.script(Reply("In 1912."))
    await alice.ask("When?")
    assert read_by(model)[-3:] == [
        read_by(model)[-3],
        ("assistant", "I look it up."),
        ("user", "When?"),
    ]


async def test_an_agent_hands_to_a_persona_by_the_room(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    class Back(Agent):
        def __init__(self, room: Room) -> None:
            super().__init__(instructions="You hand back.")
            self._room = room

        @function_tool
        async def hand_back(self) -> str:
            """Hand back to the desk."""
            self._room.hand_off("front", "She is done.")
            return "handed back"

    app = App({"back": Back, "front": Persona("You are the desk.")})
    worker = await start_worker(app=app)
    alice = await enter("alice", worker=worker)
    model.script(calling("hand_back"), Reply("Goodbye."))
    await alice.ask("I am done.")
    model.script(Reply("Hello again."))
    await alice.ask("Hello?")
    [(_, instructions), *_, (_, told), (_, asked)] = read_by(model)
    assert instructions == "You are the desk."
    assert "She is done." in str(told)
    assert asked == "Hello?"
