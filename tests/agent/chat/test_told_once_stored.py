"""Notices after storing: `message.stored`, and answers whose end was never sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc
from livekit.rtc.participant import PublishDataError

from agent.chat import stored_answers
from agent.history.told_answers import ToldAnswers
from agent.replies.private_output import PrivatePacketOutput
from agent.replies.reply_stream import ReplyStream
from agent.replies.topic_output import TopicOutput
from agent.room.room_session import RoomSession
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat.test_history import replace
from tests.agent.chat_client import AGENT
from tests.agent.outages import MissingSqlite
from tests.agent.talk import Scope, Talk
from toolkit import Source, ToolContext, tool

if TYPE_CHECKING:
    from pathlib import Path

    from agent.history.message import MessageKey
    from agent.replies.reply_output import Ending
    from tests.agent.conftest import Enter, StartWorker


@tool
async def show_terms(context: ToolContext) -> str:
    """Show the terms."""
    context.show(Source("Terms", "https://example.test/terms"))
    return "shown"


SHOWING = (Reply(tool_calls=[tool_call("showTerms")]), Reply("Here they are."))
"""What the model says to have an answer with parts."""


@pytest.mark.parametrize("scope", ["room", "private"])
async def test_a_sender_who_asks_for_it_gets_message_stored(enter: Enter, scope: Scope) -> None:
    alice = await enter("alice")
    message = await alice.say("hello", scope=scope, ack="stored")
    told = await alice.notice("message.stored", messageIds=[message])
    stored = {each["id"]: each["position"] for each in await Talk(alice, scope).history()}
    assert told["position"] == stored[message]
    await alice.send_packet({"type": "chat", "id": "p-1", "text": "hello", "ack": "stored"})
    await alice.notice("message.stored", messageIds=["p-1"])
    await alice.answer_to("p-1")
    # Nobody else gets a notice.
    quiet = await Talk(alice, scope).ask("and now?")
    assert quiet["inReplyTo"] not in str(alice.notices("message.stored"))


@pytest.mark.parametrize("scope", ["room", "private"])
@pytest.mark.parametrize("another_worker", [False, True])
async def test_an_answered_message_that_is_sent_again_brings_its_answer(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
    scope: Scope,
    another_worker: bool,
) -> None:
    worker = await start_worker(tools=[show_terms])
    alice, bob = await enter("alice", worker=worker), await enter("bob", worker=worker)
    talk = Talk(alice, scope)
    packet = {"type": "chat", "id": "p-1", "text": "hello", "ack": "stored"}
    if scope == "private":
        packet |= {"private": True}
    model.script(*SHOWING)
    await alice.send_packet(packet)
    first = await talk.answered("p-1")
    parts = await alice.parts_of("p-1")
    assert [part["type"] for part in parts] == ["tool-call", "source"]
    if another_worker:
        former = alice.agent_sid
        await replace(worker, start_worker, room_name, lk_api)
        await alice.until_ready_again(former)
        await bob.until_ready_again(former)
    await alice.send_packet(packet)
    again = await talk.answered("p-1", times=2)
    assert again["segmentId"] == first["segmentId"]
    assert again["position"] == first["position"]
    await alice.until(lambda: len(alice.notices("message.stored")) == 2)
    if scope == "room":
        await alice.until(lambda: len(alice.finished("p-1")) == 2)
        texts = [each.text for each in alice.finished("p-1")]
        assert texts[0] == texts[1]
    await alice.until(lambda: len(alice.ended_parts("p-1")) == 2)
    assert await alice.parts_of("p-1") == parts
    await bob.ask("anything new?")
    assert len(bob.finished("p-1")) == (1 if scope == "room" else 0)
    assert len(bob.ended_parts("p-1")) == (1 if scope == "room" else 0)
    assert len(model.requests) == 3


async def test_no_message_stored_is_sent_while_the_database_is_unavailable(
    start_worker: StartWorker, enter: Enter, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    database = MissingSqlite(tmp_path)
    await database.begin()
    alice = await enter("alice", worker=await start_worker(DATABASE_URL=database.url))
    packet = {"type": "chat", "id": "p-1", "text": "hello", "ack": "stored"}
    await alice.send_packet(packet)
    await alice.answer_to("p-1")
    assert alice.notices("message.stored") == []
    await database.end()
    async with asyncio.timeout(20):
        while not alice.notices("message.stored"):
            await alice.send_packet(packet)
            await alice.call("ping")


@pytest.mark.parametrize("scope", ["room", "private"])
async def test_the_next_worker_sends_an_answer_whose_end_was_stored_but_not_sent(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
    scope: Scope,
) -> None:
    worker = await start_worker(tools=[show_terms])
    talk = Talk(await enter("alice", worker=worker), scope)
    await talk.ask("hello")
    stored = asyncio.Event()
    tell_end, note = ReplyStream.finish, ToldAnswers.note

    async def die(_: ReplyStream, __: Ending) -> None:
        """The worker is killed between storing an answer and telling its end."""
        stored.set()

    def forget(_: ToldAnswers, __: MessageKey) -> None: ...

    monkeypatch.setattr(ReplyStream, "finish", die)
    monkeypatch.setattr(ToldAnswers, "note", forget)
    model.script(*SHOWING)
    question = await talk.say("and now?")
    async with asyncio.timeout(20):
        await stored.wait()
    ((_, _, _), (_, _, _), (_, _, _), (segment, text, _)) = await talk.stored()
    assert talk.endings(question) == []
    monkeypatch.setattr(ReplyStream, "finish", tell_end)
    monkeypatch.setattr(ToldAnswers, "note", note)
    await replace(worker, start_worker, room_name, lk_api)

    ending = await talk.answered(question)
    assert (ending["segmentId"], ending["finishReason"]) == (segment, "stop")
    if scope == "room":
        assert (await talk.client.answer_to(question)).text == text
    # The former stream of parts broke off; this one has them all.
    parts = (await talk.history())[-1]["parts"]
    assert [part["type"] for part in parts] == ["tool-call", "source"]
    assert await talk.client.parts_of(question) == parts
    assert len(model.requests) == 3
    # The end has been sent now: a third worker does not repeat it.
    await talk.ask("once more")
    assert len(talk.endings(question)) == 1


@pytest.mark.parametrize("scope", ["room", "private"])
async def test_the_next_worker_sends_an_answer_whose_end_could_not_be_sent(
    start_worker: StartWorker,
    enter: Enter,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
    scope: Scope,
) -> None:
    worker = await start_worker()
    talk = Talk(await enter("alice", worker=worker), scope)
    output = TopicOutput if scope == "room" else PrivatePacketOutput

    async def fail(_: TopicOutput | PrivatePacketOutput, __: Ending) -> None:
        raise PublishDataError("the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(output, "close", fail)
        question = await talk.say("hello")
        first = await talk.answered(question)
    former = talk.client.agent_sid
    other = await replace(worker, start_worker, room_name, lk_api)
    again = await talk.answered(question, times=2)
    assert again["segmentId"] == first["segmentId"]
    # A third worker does not repeat it.
    await talk.client.until_ready_again(former)
    former = talk.client.agent_sid
    await replace(other, start_worker, room_name, lk_api)
    await talk.client.until_ready_again(former)
    await talk.ask("once more")
    assert len(talk.endings(question)) == 2


@pytest.mark.parametrize("scope", ["room", "private"])
async def test_an_answer_is_sent_again_if_the_agent_was_removed_in_the_same_moment(
    start_worker: StartWorker,
    enter: Enter,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
    scope: Scope,
) -> None:
    # As long as this test takes: the removal is in the same moment as the answer.
    monkeypatch.setattr(stored_answers, "SENT_FOR", 120.0)
    heard = asyncio.Event()
    loop, hear = asyncio.get_running_loop(), RoomSession._on_disconnected  # pyright: ignore[reportPrivateUsage]

    def disconnected(self: RoomSession, reason: rtc.DisconnectReason.ValueType) -> None:
        hear(self, reason)
        loop.call_soon_threadsafe(heard.set)

    monkeypatch.setattr(RoomSession, "_on_disconnected", disconnected)
    worker = await start_worker()
    talk = Talk(await enter("alice", worker=worker), scope)
    question = await talk.say("hello")
    first = await talk.answered(question)
    await lk_api.room.remove_participant(
        api.RoomParticipantIdentity(room=room_name, identity=AGENT)
    )
    await talk.client.until(lambda: talk.client.agent is None)
    async with asyncio.timeout(20):
        await heard.wait()
    other = await replace(worker, start_worker, room_name, lk_api)
    again = await talk.answered(question, times=2)
    assert again["segmentId"] == first["segmentId"]
    # This one leaves by itself: what it has sent has arrived.
    former = talk.client.agent_sid
    await replace(other, start_worker, room_name, lk_api)
    await talk.client.until_ready_again(former)
    await talk.ask("once more")
    assert len(talk.endings(question)) == 2


async def test_an_answer_counts_as_delivered_if_its_asker_had_left(
    start_worker: StartWorker, enter: Enter, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = asyncio.Event()
    loop, note = asyncio.get_running_loop(), ToldAnswers.note

    def noted(self: ToldAnswers, answer: MessageKey) -> None:
        note(self, answer)
        loop.call_soon_threadsafe(told.set)

    monkeypatch.setattr(ToldAnswers, "note", noted)
    worker = await start_worker()
    await enter("bob", worker=worker)
    alice = Talk(await enter("alice", worker=worker), "private")
    rest = asyncio.Event()
    model.script(Reply(tokens=["one ", "two"], after=1, pause=rest))
    await alice.begun(await alice.say("count"))
    await alice.client.room.disconnect()
    rest.set()
    async with asyncio.timeout(20):
        await told.wait()


async def test_without_takeover_too_ends_wait_for_the_connection(
    start_worker: StartWorker, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_answers, "SENT_FOR", 0.01)
    told, noted = list[str](), asyncio.Event()
    loop, note = asyncio.get_running_loop(), ToldAnswers.note

    def keep(self: ToldAnswers, answer: MessageKey) -> None:
        note(self, answer)
        told.append(answer.id)
        loop.call_soon_threadsafe(noted.set)

    monkeypatch.setattr(ToldAnswers, "note", keep)
    worker = await start_worker(TAKEOVER="no")
    alice = await enter("alice", worker=worker)
    (session,) = worker.host._sessions.values()  # pyright: ignore[reportPrivateUsage]

    async def emit(what: rtc.room.EventTypes) -> None:
        session._room.emit(what)  # pyright: ignore[reportPrivateUsage]

    await asyncio.wrap_future(worker.host._run(emit("reconnecting")))  # pyright: ignore[reportPrivateUsage]
    await alice.ask("one")
    await alice.ask("two")
    assert told == []
    await asyncio.wrap_future(worker.host._run(emit("reconnected")))  # pyright: ignore[reportPrivateUsage]
    async with asyncio.timeout(20):
        await noted.wait()
