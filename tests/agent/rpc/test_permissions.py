"""Permissions on other people's messages, errors for bad input, threads and feedback."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from agent.history.message import MessageKey, ThreadKey
from agent.rpc.permissions import MESSAGES, Named, check_listening, check_thread, choose
from devserver.model import DemoModel, Reply
from tests.agent.client_protocol import lie_about_protocol
from tests.agent.conftest import Enter, StartWorker
from tests.agent.replies.test_private import told
from tests.agent.talk import Talk
from tests.room_server import RoomServerUnderTest
from toolkit.caller import Caller
from toolkit.errors import NotAllowed, NotFound

CHANGES = ("stopResponse", "regenerate", "editMessage", "deleteMessage", "sendFeedback")
ALICE = Caller("alice")
MODERATOR = Caller("mary", attributes={"role": "moderator"}, vouched=True)
PRETENDER = Caller("mary", attributes={"role": "moderator"})
ROOM = ThreadKey("kitchen")


def arguments(method: str, message_id: str) -> dict[str, object]:
    more: dict[str, dict[str, object]] = {
        "editMessage": {"text": "changed"},
        "sendFeedback": {"value": "up"},
    }
    return {"messageId": message_id, **more.get(method, {})}


def question(sender: str, message_id: str = "1", thread: ThreadKey = ROOM) -> Named:
    key = MessageKey(thread, sender, message_id)
    return Named(key, key)


def answer_to(sender: str, thread: ThreadKey = ROOM) -> Named:
    return Named(MessageKey(thread, "agent", "SG_1"), MessageKey(thread, sender, "1"))


def may(caller: Caller, method: str, named: Named) -> bool:
    try:
        return choose(method, [named], caller) == named
    except NotAllowed:
        return False


@pytest.mark.parametrize(
    ("caller", "listening", "wanted", "allowed"),
    [
        (ALICE, None, "alice", True),
        (ALICE, "alice", None, True),
        (ALICE, None, None, True),
        (ALICE, None, "bob", False),
        (ALICE, "bob", None, False),
        (ALICE, "bob", "alice", False),
        (MODERATOR, None, "bob", True),
        (MODERATOR, "bob", "alice", True),
        (MODERATOR, "bob", None, True),
        (PRETENDER, None, "bob", False),
    ],
)
def test_people_have_the_agent_listen_to_themselves_and_moderators_to_anybody(
    caller: Caller, listening: str | None, wanted: str | None, allowed: bool
) -> None:
    if allowed:
        check_listening(caller, listening, wanted)
    else:
        with pytest.raises(NotAllowed):
            check_listening(caller, listening, wanted)


def test_people_change_their_own_and_moderators_keep_order() -> None:
    alices = (question("alice"), answer_to("alice"), answer_to("bob"), question("bob"))
    assert {m: [may(ALICE, m, named) for named in alices] for m in MESSAGES} == {
        "stopResponse": [True, True, False, False],
        "regenerate": [True, True, False, False],
        "editMessage": [True, False, False, False],
        "deleteMessage": [True, True, False, False],
        "sendFeedback": [False, True, True, False],
    }
    for method in ("stopResponse", "deleteMessage"):
        assert all(may(MODERATOR, method, named) for named in alices)
        assert not any(may(PRETENDER, method, named) for named in alices)
    assert not may(MODERATOR, "editMessage", question("bob"))
    check_thread("deleteThread", ROOM, MODERATOR)
    with pytest.raises(NotAllowed):
        check_thread("deleteThread", ROOM, ALICE)


def test_nobody_sees_what_is_private_to_others() -> None:
    private = ThreadKey("kitchen", "bob")
    for caller in (ALICE, MODERATOR):
        for method in MESSAGES:
            for named in (question("bob", thread=private), answer_to("bob", private)):
                with pytest.raises(NotFound):
                    choose(method, [named], caller)
        with pytest.raises(NotFound):
            check_thread("deleteThread", private, caller)


def test_an_id_of_several_messages_means_the_callers_newest() -> None:
    private = question("alice", thread=ThreadKey("kitchen", "alice"))
    candidates = [question("bob"), question("alice"), private, question("carol")]
    assert choose("editMessage", candidates, ALICE) == private
    assert choose("deleteMessage", [question("bob"), question("carol")], MODERATOR) == question(
        "carol"
    )


async def test_messages_and_answers_of_others_may_not_be_changed(enter: Enter) -> None:
    alice, bob = Talk(await enter("alice")), Talk(await enter("bob"))
    message = await alice.say("hello")
    answer = (await alice.answered(message))["segmentId"]
    for method in CHANGES:
        assert (await bob.refused(method, **arguments(method, message))).code == 403
    for method in CHANGES[:-1]:
        assert (await bob.refused(method, **arguments(method, answer))).code == 403
    # Nor may anybody put words into the agent's mouth.
    assert (await alice.refused("editMessage", **arguments("editMessage", answer))).code == 403
    assert (await alice.stored())[0][:2] == (message, "hello")
    assert len(await alice.stored()) == 2


async def test_data_private_to_others_does_not_exist(enter: Enter) -> None:
    alice, bob = Talk(await enter("alice"), "private"), Talk(await enter("bob"))
    message = await alice.say("between us")
    answer = (await alice.answered(message))["segmentId"]
    for method in CHANGES:
        for name in (message, answer):
            error = await bob.refused(method, **arguments(method, name))
            unknown = await bob.refused(method, **arguments(method, "unknown"))
            assert (error.code, error.message) == (404, "No such message")
            assert (error.code, error.message, error.data) == (
                unknown.code,
                unknown.message,
                unknown.data,
            )
    for thread in ("private:alice", "private:nobody"):
        for method in ("deleteThread", "getHistory"):
            assert (await bob.refused(method, thread=thread)).code == 404
    assert len(await alice.stored()) == 2


BAD_IDS = ["", "x" * 10_000, "🤖" * 257]
UNKNOWN_IDS = [
    "unknown",
    "'; DROP TABLE history_message; --",
    "👩‍👩‍👧 \u202eright to left\u202c \x00",
    "private:alice",
    "x" * 256,
]


async def test_bad_and_unknown_ids(enter: Enter) -> None:
    alice = Talk(await enter("alice"))
    await alice.ask("hello")
    before = await alice.stored()
    for method in CHANGES:
        for message_id in BAD_IDS:
            error = await alice.refused(method, **arguments(method, message_id))
            assert (error.code, set(json.loads(error.data or "")["fields"])) == (400, {"messageId"})
        for message_id in UNKNOWN_IDS:
            error = await alice.refused(method, **arguments(method, message_id))
            assert (method, message_id, error.code) == (method, message_id, 404)
    assert await alice.stored() == before


@pytest.mark.parametrize(
    ("method", "payload", "code", "field"),
    [
        ("regenerate", {}, 400, "messageId"),
        ("regenerate", {"messageId": 5}, 400, "messageId"),
        ("stopResponse", {"messageId": ["x"]}, 400, "messageId"),
        ("stopResponse", {"id": "x"}, 400, "id"),
        ("editMessage", {"messageId": "x"}, 400, "text"),
        ("editMessage", {"messageId": "x", "text": " \n"}, 400, "text"),
        ("sendFeedback", {"messageId": "x"}, 400, "value"),
        ("sendFeedback", {"messageId": "x", "value": True}, 400, "value"),
        ("sendFeedback", {"messageId": "x", "value": "'; DROP TABLE x; --"}, 400, "value"),
        ("sendFeedback", {"messageId": "x", "value": 1, "comment": "x" * 4_001}, 400, "comment"),
        ("deleteThread", {}, 400, "thread"),
        ("deleteThread", {"thread": "'; DROP TABLE history_thread; --"}, 400, "thread"),
        ("deleteThread", {"thread": "private:" + "x" * 10_000}, 400, "thread"),
        ("deleteThread", {"thread": "room"}, 403, None),
        ("listThreads", {"room": "another"}, 400, "room"),
    ],
)
async def test_bad_arguments(
    enter: Enter, method: str, payload: dict[str, object], code: int, field: str | None
) -> None:
    alice = Talk(await enter("alice"))
    error = await alice.refused(method, **payload)
    assert error.code == code
    fields: dict[str, str] = json.loads(error.data or "{}").get("fields", {})
    assert {name.split(".")[0] for name in fields} == ({field} if field else set())


async def test_an_edit_may_not_be_longer_than_a_message(
    enter: Enter, start_worker: StartWorker
) -> None:
    alice = Talk(await enter("alice", worker=await start_worker(MAX_MESSAGE_BYTES="100")))
    message = await alice.say("hello")
    await alice.answered(message)
    assert (await alice.refused("editMessage", messageId=message, text="é" * 51)).code == 413
    assert (await alice.stored())[0][1] == "hello"


async def test_others_learn_how_a_long_edited_message_begins(enter: Enter) -> None:
    alice, bob = Talk(await enter("alice")), Talk(await enter("bob"))
    message = await alice.say("short")
    await alice.answered(message)
    text = "é" * 10_000
    await alice.call("editMessage", messageId=message, text=text)
    notice = await bob.client.notice("message.edited", messageIds=[message])
    assert text.startswith(notice["newText"])
    assert (notice["truncated"], notice["textLength"]) == (True, 20_000)


async def test_an_edited_message_that_is_for_others_is_not_answered(
    enter: Enter, start_worker: StartWorker, model: DemoModel
) -> None:
    worker = await start_worker(REPLY_POLICY="mention")
    alice = Talk(await enter("alice", worker=worker))
    message = await alice.say("I will be late")
    await alice.until_stored(message)
    await alice.call("editMessage", messageId=message, text="I will be early")
    assert list(model.requests) == []
    await alice.ask("Agent, what did I say?")
    texts = [each.text for each in model.requests[-1].chat.messages][1:]
    assert texts == ["I will be early", "Agent, what did I say?"]
    await alice.call("editMessage", messageId=message, text="Agent, I will be early")
    await alice.answered(message)
    assert model.requests[-1].chat.user_text == "Agent, I will be early"


async def test_feedback_is_kept_once_for_each_person_and_goes_with_what_it_was_about(
    enter: Enter, start_worker: StartWorker
) -> None:
    worker = await start_worker()
    alice, bob = Talk(await enter("alice", worker=worker)), Talk(await enter("bob"))
    message = await alice.say("hello")
    answer = (await alice.answered(message))["segmentId"]
    comment = "👎 \u202eright to left\u202c '; DROP TABLE history_feedback; --"
    await alice.call("sendFeedback", messageId=answer, value="up")
    await alice.call("sendFeedback", messageId=answer, value="down", comment=comment)
    await bob.call("sendFeedback", messageId=answer, value=4.5)

    def kept() -> list[tuple[str, str, str]]:
        path = worker.settings.database_url.removeprefix("sqlite:///")
        with sqlite3.connect(path) as database:
            query = "SELECT identity, value, comment FROM history_feedback ORDER BY identity"
            rows = database.execute(query).fetchall()
        database.close()
        return rows

    assert kept() == [("alice", '"down"', comment), ("bob", "4.5", "")]
    await alice.call("regenerate", messageId=answer)
    await alice.answered(message, times=2)
    assert kept() == []


async def test_threads_are_listed_for_those_who_see_them(enter: Enter) -> None:
    alice, bob = Talk(await enter("alice")), Talk(await enter("bob"))
    assert await alice.call("listThreads") == {"threads": []}
    await bob.ask("hello\neverybody")
    private = Talk(alice.client, "private")
    await private.ask("between us")
    threads = (await alice.call("listThreads"))["threads"]
    assert [(t["id"], t["scope"], t["title"], t["messages"]) for t in threads] == [
        ("room", "room", "hello everybody", 2),
        ("private:alice", "private", "between us", 2),
    ]
    assert threads[0]["lastTimestamp"] == (await alice.history())[-1]["timestamp"]
    assert [t["id"] for t in (await bob.call("listThreads"))["threads"]] == ["room"]


async def test_a_deleted_thread_is_empty_for_the_model_too(enter: Enter, model: DemoModel) -> None:
    alice, bob = Talk(await enter("alice"), "private"), Talk(await enter("bob"))
    await bob.ask("hello everybody")
    await alice.ask("Q1")
    answer = await alice.ask("Q2")
    assert await alice.call("deleteThread", thread="private:alice") == {
        "thread": "private:alice",
        "messages": 4,
    }
    assert (await alice.client.notice("thread.deleted"))["thread"] == "private:alice"
    assert await alice.history() == []
    error = await alice.refused("regenerate", messageId=answer["segmentId"])
    assert error.code == 404
    await alice.ask("Q3")
    assert [m.text for m in model.requests[-1].chat.messages][1:] == ["Q3"]
    assert [t["id"] for t in (await alice.call("listThreads"))["threads"]] == [
        "room",
        "private:alice",
    ]
    assert len(await bob.stored()) == 2
    assert bob.client.notices("thread.deleted") == []


@pytest.mark.parametrize("client_protocol", [1, 2])
async def test_no_byte_of_a_private_change_goes_to_others(
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
    client_protocol: int,
) -> None:
    alice, bob = Talk(await enter("alice"), "private"), Talk(await enter("bob"))
    await bob.ask("hello everybody")
    if client_protocol < 2:
        lie_about_protocol(room_server, room_name, "alice", client_protocol)
    model.when("XYZZY", Reply(text="XYZZY it is"))
    question = await alice.say("XYZZY is the word")
    await alice.answered(question)
    await alice.call("editMessage", messageId=question, text="the word is XYZZY")
    await alice.answered(question, times=2)
    answer = await alice.call("listThreads")
    assert [each["title"] for each in answer["threads"]] == [
        "hello everybody",
        "the word is XYZZY",
    ]
    await alice.call("deleteMessage", messageId=question)
    await alice.client.notice("message.deleted")
    await bob.ask("anything new?")
    assert told(room_server.embedded, room_name, "XYZZY", alice.client, bob.client) == {"alice"}


async def test_without_the_database_answers_can_be_stopped_and_nothing_be_changed(
    enter: Enter, model: DemoModel, start_worker: StartWorker, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "data"
    in_the_way.touch()
    worker = await start_worker(DATABASE_URL=f"sqlite:///{in_the_way}/agent.db")
    alice = Talk(await enter("alice", worker=worker))
    model.script(Reply(tokens=["once ", "more"], after=1, pause=asyncio.Event()))
    message = await alice.say("tell me a story")
    answer = await alice.begun(message)
    assert await alice.call("stopResponse", messageId=answer) == {"stopped": [message]}
    for method in CHANGES:
        error = await alice.refused(method, **arguments(method, message))
        assert (error.code, json.loads(error.data or "")["retryAfter"] > 0) == (503, True)
    assert (await alice.refused("listThreads")).code == 503
    assert (await alice.refused("deleteThread", thread="private:alice")).code == 503
    assert (await alice.ask("and now?"))["finishReason"] == "stop"


async def test_a_moderator_stops_and_deletes_what_is_said_in_the_room(
    enter: Enter, model: DemoModel
) -> None:
    alice = Talk(await enter("alice"))
    mary = Talk(await enter("mary", attributes={"role": "moderator"}))
    private = Talk(alice.client, "private")
    secret = await private.say("between us")
    await private.answered(secret)
    model.script(Reply(tokens=["once ", "more"], after=1, pause=asyncio.Event()))
    message = await alice.say("tell me a story")
    answer = await alice.begun(message)
    assert await mary.call("stopResponse") == {"stopped": []}
    assert await mary.call("stopResponse", messageId=answer) == {"stopped": [message]}
    assert (await mary.refused("editMessage", **arguments("editMessage", message))).code == 403
    assert await mary.call("deleteMessage", messageId=message) == {"deleted": [message, answer]}
    await alice.client.notice("message.deleted", messageIds=[message])
    await alice.ask("and now?")
    assert (await mary.call("deleteThread", thread="room"))["messages"] == 2
    assert (await mary.refused("deleteMessage", messageId=secret)).code == 404
    assert (await mary.refused("deleteThread", thread="private:alice")).code == 404
    assert len(await private.stored()) == 2
