"""The events that a backend gets from a room: by the example receiver, and all of them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit import api

from agent import App
from devserver.model import DemoModel, Reply, tool_call
from examples.webhook_receiver.receiver import SEEN, TOKENS, make_app
from tests.agent.accounts.receiver import SECRET, Receiver
from tests.agent.app.session_room import Archive
from tests.agent.cli.command_line import CommandLine
from tests.agent.conftest import Enter, StartWorker


async def test_a_backend_gets_the_events_of_a_room(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    receiver: Receiver,
    lk_api: api.LiveKitAPI,
    room_name: str,
    bare: CommandLine,
) -> None:
    worker = await start_worker(
        WEBHOOK_URLS=receiver.url, WEBHOOK_SECRET=SECRET, LLM_MODEL="some-model"
    )
    alice = await enter("alice", worker=worker, metadata='{"tenant": "acme"}')
    model.script(Reply(tool_calls=[tool_call("getCurrentTime")]), Reply("It is noon."))
    message = await alice.say("What time is it?")
    answer = await alice.answer_to(message)
    await alice.notice("answer.finished", inReplyTo=message)
    rated = answer.attributes["lk.segment_id"]
    feedback = {"messageId": rated, "value": "up", "comment": "thanks"}
    await alice.call("sendFeedback", json.dumps(feedback))
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
    await receiver.until(events=6)

    assert [each["type"] for each in receiver.events] == [
        "conversation.started",
        "message.received",
        "tool.finished",
        "answer.finished",
        "feedback.given",
        "conversation.ended",
    ]
    told = {each["type"]: each["data"] for each in receiver.events}
    assert {each["data"]["room"] for each in receiver.events} == {room_name}
    assert {each["data"]["tenant"] for each in receiver.events} == {"acme"}
    assert told["message.received"]["text"] == "What time is it?"
    assert told["tool.finished"]["outcome"] == "ok"
    finished = told["answer.finished"]
    assert (finished["text"], finished["askerId"]) == (answer.text, "alice")
    assert finished["usage"]["model"] == "some-model"
    assert finished["usage"]["requests"] == 2
    assert finished["usage"]["inputTokens"] > 0
    given = told["feedback.given"]
    assert (given["messageId"], given["identity"], given["value"]) == (rated, "alice", "up")
    report = told["conversation.ended"]
    assert (report["messages"], report["answers"], report["tools"]) == (
        1,
        {"stop": 1},
        {"getCurrentTime": 1},
    )
    assert [(each["role"], each["text"]) for each in report["transcript"]] == [
        ("user", "What time is it?"),
        ("assistant", answer.text),
    ]
    spoken = {"heardMs": 0, "spokenMs": 0}
    assert report["usage"] == [{"identity": "alice", **finished["usage"], **spoken}]
    assert report["feedback"] == [
        {"messageId": rated, "identity": "alice", "value": "up", "comment": "thanks"}
    ]
    assert report["sessions"] == []

    database = worker.settings.database_url
    await worker.server.aclose()
    done = await bare.run("export", "usage", DATABASE_URL=database)
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["tenant"], row["room"], row["identity"]) == ("acme", room_name, "alice")
    assert int(row["input_tokens"]) == finished["usage"]["inputTokens"]
    done = await bare.run("export", "conversation", "--room", room_name, DATABASE_URL=database)
    assert [json.loads(line)["role"] for line in done.stdout.splitlines()] == ["user", "assistant"]


async def test_a_session_of_livekit_agents_is_in_the_report(
    start_worker: StartWorker,
    enter: Enter,
    receiver: Receiver,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    worker = await start_worker(
        app=App({"archive": Archive}),
        WEBHOOK_URLS=receiver.url,
        WEBHOOK_SECRET=SECRET,
        WEBHOOK_EVENTS="conversation.ended",
        LLM_MODEL="some-model",
    )
    alice = await enter("alice", worker=worker, attributes={"role": "moderator"})
    answer = await alice.ask("Hello?")
    rating = {"messageId": answer.attributes["lk.segment_id"], "value": "down"}
    await alice.call("sendFeedback", json.dumps(rating))
    await alice.call("eraseData", json.dumps({"identity": "alice"}))
    await alice.ask("Hello again?")
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
    await receiver.until(events=1)

    [ended] = receiver.events
    [session] = ended["data"]["sessions"]
    assert (session["agent_name"], session["user_turns"]) == ("archive", 1)
    [usage] = session["usage"]
    assert (usage["type"], usage["model"]) == ("llm_usage", "some-model")
    assert usage["input_tokens"] > 0
    assert session["duration_ms"] > 0
    assert "Hello" not in json.dumps(session)
    # What was erased is not reported.
    assert ended["data"]["feedback"] == []
    assert "Hello?" not in [each["text"] for each in ended["data"]["transcript"]]


async def test_the_example_takes_them_once_each(
    start_worker: StartWorker, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    app = make_app()
    async with TestServer(app) as server:
        worker = await start_worker(
            WEBHOOK_URLS=str(server.make_url("/")),
            WEBHOOK_SECRET=SECRET,
            WEBHOOK_EVENTS="answer.finished",
        )
        alice = await enter("alice", worker=worker)
        await alice.ask("Hello?")
        while not app[SEEN]:
            await alice.call("ping")
        assert app[TOKENS]["alice"] > 0
        assert len(app[SEEN]) == 1


async def test_the_example_refuses_what_the_worker_did_not_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from aiohttp.test_utils import TestClient  # noqa: PLC0415 - pytest would take it for a test

    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    app: web.Application = make_app()
    async with TestClient(TestServer(app)) as client:
        forged = {"webhook-id": "EV_1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
        for headers in ({}, forged):
            assert (await client.post("/", data=b"{}", headers=headers)).status == 401
    assert not app[SEEN]
