"""Each long-lived task of a room is made to fail: the room goes on or is left, and it is logged.

Those of microphones, the whiteboard and the shared state are tested beside them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from livekit import rtc

from agent.chat.conversation import RESTARTS, Conversation
from agent.data.data_channel import DataChannel
from agent.replies.reply_output import ReplyOutput
from agent.room.room_session import RoomSession
from agent.voice.voice_switch import VoiceSwitch
from agent.wire.notices import Notices
from agent.wire.presence import Presence
from tests.agent.chat_client import AGENT, WITHIN, ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest


class Failing:
    """Takes the place of a method, and fails in it so many times before it does its work."""

    def __init__(self, of: type[Any], name: str, times: int) -> None:
        self._method: Callable[..., Any] = getattr(of, name)
        self.left = times

    def __get__(self, owner: object, _: type[Any]) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> Any:  # noqa: ANN401 - the method's own
            if self.left:
                self.left -= 1
                raise ZeroDivisionError
            return self._method(owner, *args, **kwargs)

        return call


async def test_the_agents_attributes_are_written_after_a_failure(
    join: Join,
    room_server: RoomServerUnderTest,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(
        rtc.LocalParticipant, "set_attributes", Failing(rtc.LocalParticipant, "set_attributes", 2)
    )
    alice = ChatClient()
    await alice.room.connect(room_server.url, room_server.token("alice", room_name))
    presence = Presence(await join("agent", can_update_own_metadata=True))
    presence.start(("ping",))
    await alice.until_ready()
    assert caplog.text.count("the task 'presence' failed, restarting in") == 2
    await presence.aclose()
    await alice.room.disconnect()


async def test_a_conversation_that_fails_goes_on_with_what_it_was_asked(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await enter("alice")
    monkeypatch.setattr(Conversation, "_next", Failing(Conversation, "_next", RESTARTS))
    # The conversation waits in the former one, and goes on with this one after the first answer.
    answers = [await alice.say(f"question {number}") for number in range(3)]
    for each in answers:
        assert (await alice.answer_to(each)).finish_reason == "stop"
        assert len(alice.finished(each)) == 1
    assert caplog.text.count("the task 'conversation' failed, restarting in") == RESTARTS


async def test_a_room_whose_conversation_keeps_failing_is_left(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await enter("alice")
    monkeypatch.setattr(Conversation, "_next", Failing(Conversation, "_next", RESTARTS + 1))
    await alice.ask("hello")
    await alice.until(lambda: alice.agent is None)
    assert f"the task 'conversation' failed {RESTARTS + 1} times, giving up" in caplog.text


async def test_an_output_of_an_answer_that_fails_costs_the_others_nothing(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await enter("alice")
    await alice.ask("hello")
    monkeypatch.setattr(ReplyOutput, "_gather", Failing(ReplyOutput, "_gather", 1))
    asked = await alice.say("and now?")
    await alice.notice("answer.finished", inReplyTo=asked)
    assert (await alice.ask("still there?")).finish_reason == "stop"
    assert caplog.text.count("answer not sent on") == 1


async def test_notices_are_sent_after_a_failure(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await enter("alice")
    monkeypatch.setattr(Notices, "_until_due", Failing(Notices, "_until_due", 2))
    for number in range(3):
        answer = await alice.ask(f"question {number}")
        await alice.notice("answer.finished", inReplyTo=answer.in_reply_to)
    assert "the task 'notices' failed, restarting in" in caplog.text


async def test_a_packets_handler_and_its_refusal_may_fail(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await enter("alice")
    monkeypatch.setattr(DataChannel, "_failed", Failing(DataChannel, "_failed", 1))
    for number in range(2):
        await alice.send_packet(
            {"type": "reactions", "id": f"r{number}", "emoji": "👍", "targetMessageId": "none"}
        )
    assert (await alice.notice("error", code=404))["messageIds"] == ["r1"]
    assert "the task 'data packets' failed, restarting in" in caplog.text


async def test_a_voice_is_opened_after_a_failure(
    join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    """The voice's own failures have a boundary; this one is cancelled by somebody else."""
    opened = asyncio.Event()
    attempts = 0

    async def open_voice(_: object) -> Any:  # noqa: ANN401 - never returns one
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            opened.set()
            await asyncio.Event().wait()
        raise asyncio.CancelledError

    async def set_voice(_: object) -> None: ...

    room = await join("agent")
    switch = VoiceSwitch(
        room,
        "on",
        Notices(room),
        open_voice=open_voice,
        set_voice=set_voice,
        set_deaf=lambda _: None,
    )
    switch.start()
    async with asyncio.timeout(WITHIN):
        await opened.wait()
    assert "the task 'voice' failed, restarting in" in caplog.text
    await switch.aclose()


async def test_a_room_whose_events_are_read_no_more_is_left(
    start_worker: StartWorker, enter: Enter, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    sessions: dict[str, RoomSession] = worker.host._sessions  # pyright: ignore[reportPrivateUsage]
    (session,) = sessions.values()
    room = session._room  # pyright: ignore[reportPrivateUsage]
    # No event: what the SDK does with it fails outside of what it catches.
    broken: Any = object()
    loop = worker.host._loop  # pyright: ignore[reportPrivateUsage]
    assert loop is not None
    loop.call_soon_threadsafe(room._ffi_queue.put_nowait, broken)  # pyright: ignore[reportPrivateUsage]
    await alice.until(lambda: AGENT not in alice.room.remote_participants)
    assert "the SDK stopped reading room events; leaving the room" in caplog.text
