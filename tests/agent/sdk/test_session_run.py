"""The parts of livekit-agents that agent.sdk.session_run relies on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, AgentTask, llm
from livekit.agents.voice.io import TextOutput

from agent.sdk.session_run import MAX_EVENTS, SessionRun, forget_events, give_llm, is_running


class Said(TextOutput):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(label="said", next_in_chain=None)
        self.texts: list[str] = []

    async def capture_text(self, text: str) -> None:
        self.texts.append(text)

    def flush(self) -> None: ...


class Ask(AgentTask[str]):
    """Ends on request."""

    def __init__(self, answer: asyncio.Event) -> None:
        super().__init__(instructions="Ask.")
        self._answer = answer

    async def on_enter(self) -> None:
        await self.session.say("Which one?")
        await self._answer.wait()
        self.complete("that one")


class Asker(Agent):
    """Asks when it enters, and says what came of it."""

    def __init__(self, answer: asyncio.Event) -> None:
        super().__init__(instructions="Ask.")
        self._answer = answer

    async def on_enter(self) -> None:
        got = await Ask(self._answer)
        await self.session.say(f"I got {got}.")


def text_session() -> AgentSession[None]:
    return AgentSession[None](vad=None, turn_handling={"turn_detection": None})


async def test_a_run_is_over_when_an_agent_that_waited_has_spoken() -> None:
    answer, said = asyncio.Event(), Said()
    session = text_session()
    session.output.transcription = said
    run = SessionRun(session)
    assert not is_running(session)
    await session.start(Asker(answer), record=False, session_host=False)
    assert is_running(session)
    answer.set()
    async with asyncio.timeout(10):
        await run.over()
    assert said.texts == ["Which one?", "I got that one."]
    assert run.is_over
    await session.aclose()
    assert not is_running(session)


async def test_a_run_goes_on_for_what_it_watches() -> None:
    session = text_session()
    await session.start(Agent(instructions="Be."), record=False, session_host=False)
    run = SessionRun(session)
    work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    run.watch(work)
    session.say("Something.")
    over = asyncio.create_task(run.over())
    await session.wait_for_idle()
    assert not over.done()
    work.set_result(None)
    async with asyncio.timeout(10):
        await over
    await session.aclose()


class OtherLLM(llm.LLM[Any]):
    """Says nothing."""

    def chat(self, **_: object) -> llm.LLMStream:
        raise NotImplementedError


@pytest.mark.parametrize("has_one", [False, True])
async def test_an_llm_is_given_where_there_is_none(has_one: bool) -> None:
    own, other = OtherLLM(), OtherLLM()
    session = AgentSession[None](llm=own, vad=None) if has_one else AgentSession[None](vad=None)
    give_llm(session, other)
    assert session.llm is (own if has_one else other)


async def test_old_events_are_dropped() -> None:
    session = text_session()
    await session.start(Agent(instructions="Be."), record=False, session_host=False)
    for _ in range(MAX_EVENTS):
        await session.say("Something.")
    forget_events(session)
    assert len(session._recorded_events) == MAX_EVENTS  # pyright: ignore[reportPrivateUsage]
    await session.aclose()
