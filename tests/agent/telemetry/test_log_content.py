"""The log of representative rooms names participants, rooms and messages, and has no content and no
secrets.

All texts have a marker, and logs are captured at level DEBUG in the production format.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc
from livekit.agents.cli.log import JsonFormatter

from agent.telemetry.log_fields import ADD_FIELDS
from agent.tool_calls.method_list import ATTRIBUTE
from devserver.model import DemoModel, Fault, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.files.test_files_in import send
from tests.agent.tool_calls.test_client_methods import GET_LOCATION
from toolkit.errors import Unavailable
from toolkit.tool import tool
from tools import TOOLS

CONTENT = "xyzzy"
"""In everything that people, the model and tools say."""

SECRET = "plugh"  # noqa: S105 - a mark
"""In everything that is secret."""


@tool
async def fail_for_good_reason(text: str) -> str:
    """Fails, with its caller's words in the message."""
    raise Unavailable(f"There is no {text}") from OSError("no connection")


@tool
async def fail_unexpectedly(text: str) -> str:
    """Fails, with nothing of its caller's in the message."""
    raise RuntimeError(len(text))


class Log:
    """Every record of the process, one JSON object a line."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self.handler = logging.StreamHandler(self._text)
        self.handler.setFormatter(JsonFormatter())
        self.handler.addFilter(ADD_FIELDS)

    @property
    def text(self) -> str:
        return self._text.getvalue()

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The records whose message begins like this."""
        records: list[dict[str, Any]] = [json.loads(each) for each in self.text.splitlines()]
        return [each for each in records if each["message"].startswith(message)]


@pytest.fixture
def log() -> Generator[Log]:
    log = Log()
    levels = {"": logging.DEBUG, "livekit.agents": logging.DEBUG}
    # The room server of the tests runs in this process, too.
    levels |= dict.fromkeys(("aiortc", "aioice", "devserver"), logging.WARNING)
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().addHandler(log.handler)
    yield log
    logging.getLogger().removeHandler(log.handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
async def worker(start_worker: StartWorker, tmp_path: Path) -> Worker:
    return await start_worker(
        tools=[*TOOLS, fail_for_good_reason, fail_unexpectedly],
        OPENAI_API_KEY=f"sk-{SECRET}",
        AGENT_INSTRUCTIONS=f"You are kind. {CONTENT}",
        LLM_RETRIES="1",
        MAX_MESSAGE_BYTES="2000",
        ATTACHMENTS_DIR=str(tmp_path / "files"),
    )


async def converse(alice: ChatClient, model: DemoModel) -> None:
    """A chat with tools, refusals and changes."""
    model.script(
        Reply(tool_calls=[tool_call("failForGoodReason", f'{{"text": "{CONTENT}"}}')]),
        Reply(tool_calls=[tool_call("failUnexpectedly", f'{{"text": "{CONTENT}"}}')]),
        Reply(tool_calls=[tool_call("failUnexpectedly", f'{{"txt": "{CONTENT}"')]),
        Reply(f"Here is {CONTENT}."),
    )
    await alice.ask(f"Please do {CONTENT}")
    message = await alice.say(f"Say {CONTENT}")
    await alice.answer_to(message)
    private = await alice.say(f"In private: {CONTENT}", scope="private")
    await alice.notice("answer.finished", inReplyTo=private)
    await alice.send_packet({"type": "chat", "id": "p1", "text": f"A packet: {CONTENT}"})
    await alice.notice("answer.finished", inReplyTo="p1")
    await alice.send_packet(f'{{"type": "chat", "text": {CONTENT}')
    await alice.notice("error", code=400)
    await alice.say(CONTENT * 1000)
    await alice.notice("error", code=413)
    edited = {"messageId": message, "text": f"Another {CONTENT}"}
    await alice.ask_method("editMessage", json.dumps(edited))
    for method in ("failForGoodReason", "failUnexpectedly"):
        with pytest.raises(rtc.RpcError):
            await alice.call(method, json.dumps({"text": CONTENT}))
    with pytest.raises(rtc.RpcError):
        await alice.call("failUnexpectedly", f'{{"text": {CONTENT}')


async def fail(alice: ChatClient, model: DemoModel) -> str:
    """A service that fails in all ways, and repeats what it was sent; returns the last message."""
    # As services repeat it; 12 characters in a row are taken for a quotation.
    echo = f"Cannot process: Tell everybody {CONTENT}"
    model.script(Reply(status=500, message=echo), Reply(status=400, message=echo))
    await alice.ask(f"Tell everybody {CONTENT}")
    model.script(Reply(f"{CONTENT} {CONTENT}", fault=Fault.CUT, after=1))
    await alice.ask(f"Tell {CONTENT} of it")
    model.script(Reply(fault=Fault.MALFORMED), Reply(fault=Fault.ERROR_EVENT))
    await alice.ask(f"Tell {CONTENT} of that")
    model.script(Reply(status=401, message="Incorrect API key provided"))
    failed = await alice.say(f"Tell {CONTENT} again")
    await alice.answer_to(failed)
    return failed


async def test_the_log_has_ids_but_no_content_and_no_secrets(
    worker: Worker, enter: Enter, model: DemoModel, log: Log, room_name: str
) -> None:
    offer = json.dumps([{**GET_LOCATION, "name": "findMe", "description": f"Finds {CONTENT}"}])
    alice = await enter(
        "alice", worker=worker, name=f"Alice {CONTENT}", attributes={ATTRIBUTE: offer}
    )
    await converse(alice, model)
    await send(alice, CONTENT.encode() * 100, name=f"{CONTENT}.txt")
    await alice.notice("file.received")
    failed = await fail(alice, model)

    lines = log.text.splitlines()
    assert [each for each in lines if CONTENT in each or SECRET in each] == []
    assert worker.settings.livekit_api_secret is not None
    assert worker.settings.livekit_api_secret.get_secret_value() not in log.text

    answered = log.lines("answered")
    assert {each["asker"] for each in answered} == {"alice"}
    assert {each["room"] for each in answered} == {room_name}
    assert {each["thread_id"] for each in answered} == {"room", "private:alice"}
    assert answered[0]["tools"] == ["failForGoodReason", "failUnexpectedly", "failUnexpectedly"]
    assert answered[0]["tokens_in"] > 0
    assert answered[0]["tokens_out"] > 0
    assert 0 < answered[0]["first_token_s"] <= answered[0]["seconds"]
    (failure,) = [
        each for each in log.lines("model service failed") if each["message_id"] == failed
    ]
    assert failure["room"] == room_name
    assert failure["status"] == 401
    assert "Incorrect API key provided" in failure["message"]
    of_tool = log.lines("failUnexpectedly failed")
    assert {each["room"] for each in of_tool} == {room_name}
    assert all(each["call_id"].startswith("TC_") for each in of_tool)


async def test_an_answer_is_one_line_at_info(
    worker: Worker, enter: Enter, log: Log, room_name: str
) -> None:
    alice = await enter("alice", worker=worker)
    for number in range(3):
        message = await alice.say(f"Question {number}")
        # The line is written by then; the answer itself may arrive earlier.
        await alice.notice("answer.finished", inReplyTo=message)
    infos = [
        each
        for each in map(json.loads, log.text.splitlines())
        if each.get("room") == room_name and each["level"] != "DEBUG" and "message_id" in each
    ]
    assert [each["message"] for each in infos] == ["answered"] * 3
