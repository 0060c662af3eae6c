"""Methods that clients offer, and that the model calls."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from livekit import rtc

from agent.tool_calls.client_methods import AS_DATA
from agent.tool_calls.method_list import ATTRIBUTE, MAX_BYTES, MethodListError, parse
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.client_protocol import lie_about_protocol
from tests.agent.conftest import Enter, StartWorker
from tests.agent.replies.test_private import told as recipients
from tests.room_server import RoomServerUnderTest
from tools import TOOLS

GET_LOCATION: dict[str, Any] = {
    "name": "getLocation",
    "description": "Where the person is.",
    "parameters": {
        "type": "object",
        "properties": {"precision": {"type": "string", "enum": ["city", "street"]}},
        "required": ["precision"],
        "additionalProperties": False,
    },
}
OFFER = {ATTRIBUTE: json.dumps([GET_LOCATION])}


def call_and_then(model: DemoModel, arguments: str = '{"precision": "city"}') -> None:
    model.script(Reply(tool_calls=[tool_call("getLocation", arguments)]), Reply("I see."))


def told(model: DemoModel) -> str:
    """The result that the model got for its call."""
    ((_, result),) = model.requests[-1].chat.tool_results
    return result


class Phone:
    """An app that knows where it is, or does what the test says."""

    def __init__(self, client: ChatClient, answer: str | Exception | None) -> None:
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()
        self._answer = answer
        client.me.register_rpc_method("getLocation", self._get_location)

    async def _get_location(self, invocation: rtc.RpcInvocationData) -> str:
        self.asked.append(invocation.payload)
        self.was_asked.set()
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is None:
            await asyncio.Event().wait()
        return self._answer or ""


async def test_the_model_calls_what_the_asker_offers(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice", attributes=OFFER)
    phone = Phone(alice, '{"city": "Paris"}')
    call_and_then(model)
    await alice.ask("Where am I?")
    assert "getLocation" in model.requests[-1].chat.offered_tools
    assert phone.asked == ['{"precision":"city"}']
    assert told(model) == AS_DATA + '{"city": "Paris"}'
    await alice.notice("tool.finished", tool="getLocation", outcome="ok")


async def test_the_model_is_not_offered_what_others_have(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice", attributes=OFFER)
    bob = await enter("bob")
    phone = Phone(alice, '{"city": "Paris"}')
    call_and_then(model)
    await bob.ask("Where is Alice?")
    assert "getLocation" not in model.requests[-1].chat.offered_tools
    assert not phone.asked


async def test_changed_attributes_take_effect_with_the_next_turn(
    enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice", can_update_own_metadata=True)
    bob = await enter("bob")
    for value in (OFFER[ATTRIBUTE], ""):
        await alice.me.set_attributes({ATTRIBUTE: value})
        await bob.until(
            lambda value=value: (
                (known := bob.room.remote_participants.get("alice")) is not None
                and known.attributes.get(ATTRIBUTE, "") == value
            )
        )
        await alice.ask("Hello?")
        offered = "getLocation" in model.requests[-1].chat.offered_tools
        assert offered == bool(value)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ("{}", "precision: required"),
        ('{"precision": "inch"}', "precision: should have enum"),
        ('{"precision": "city", "x": 1}', "x: unknown argument"),
    ],
)
async def test_wrong_arguments_never_reach_the_client(
    enter: Enter, model: DemoModel, arguments: str, what: str
) -> None:
    alice = await enter("alice", attributes=OFFER)
    phone = Phone(alice, "{}")
    call_and_then(model, arguments)
    await alice.ask("Where am I?")
    assert what in told(model)
    assert not phone.asked


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ("x" * 14_001, "The answer of getLocation has more than 14000 bytes"),
        (rtc.RpcError(403, "Not today"), "getLocation failed in the participant's app: Not today"),
        (
            ValueError("secret"),
            "getLocation failed in the participant's app: Application error in method handler",
        ),
        (None, "The participant's app did not answer getLocation within 0.5 s"),
    ],
)
async def test_errors_reach_the_model(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    answer: str | Exception | None,
    result: str,
) -> None:
    worker = await start_worker(CLIENT_METHOD_TIMEOUT="0.5" if answer is None else "15")
    alice = await enter("alice", worker=worker, attributes=OFFER)
    Phone(alice, answer)
    call_and_then(model)
    assert (await alice.ask("Where am I?")).text == "I see."
    assert told(model) == result


async def test_an_offer_without_a_method_behind_it(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice", attributes=OFFER)
    call_and_then(model)
    await alice.ask("Where am I?")
    assert told(model) == "The participant's app has no getLocation, though it says so"


async def test_a_client_that_leaves_in_the_middle(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice", attributes=OFFER)
    bob = await enter("bob")
    phone = Phone(alice, None)
    call_and_then(model)
    question = await alice.say("Where am I?")
    await phone.was_asked.wait()
    await alice.room.disconnect()
    await bob.answer_to(question)
    assert told(model) == "The participant has left"


async def test_names_of_the_agents_tools_cannot_be_taken(enter: Enter, model: DemoModel) -> None:
    methods = [GET_LOCATION | {"name": "getWeather"}, GET_LOCATION, GET_LOCATION]
    alice = await enter("alice", attributes={ATTRIBUTE: json.dumps(methods)})
    await alice.ask("Hello?")
    await alice.notice(
        "error", code=400, text="client.methods: there is another tool called getWeather."
    )
    await alice.notice(
        "error", code=400, text="client.methods: there is another tool called getLocation."
    )
    assert "getLocation" in model.requests[-1].chat.offered_tools


@pytest.mark.parametrize(
    ("value", "environ"),
    [
        ("{", {}),
        ("x" * (MAX_BYTES + 1), {}),
        (json.dumps([GET_LOCATION, GET_LOCATION | {"name": "other"}]), {"MAX_CLIENT_METHODS": "1"}),
    ],
    ids=["no JSON", "too long", "too many"],
)
async def test_a_list_that_cannot_be_used_harms_nobody_but_its_sender(
    start_worker: StartWorker, enter: Enter, model: DemoModel, value: str, environ: dict[str, str]
) -> None:
    worker = await start_worker(tools=TOOLS, **environ)  # pyright: ignore[reportArgumentType]  # settings, no app
    alice = await enter("alice", worker=worker, attributes={ATTRIBUTE: value})
    bob = await enter("bob")
    assert (await alice.ask("Hello?")).finish_reason == "stop"
    error = await alice.notice("error", code=400)
    assert error["text"].startswith("client.methods: ")
    assert "getLocation" not in model.requests[-1].chat.offered_tools
    await bob.ask("And me?")
    assert not bob.notices("error")


async def test_clients_methods_can_be_switched_off(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(MAX_CLIENT_METHODS="0")
    alice = await enter("alice", worker=worker, attributes=OFFER)
    await alice.ask("Where am I?")
    assert "getLocation" not in model.requests[-1].chat.offered_tools


@pytest.mark.parametrize("client_protocol", [0, 1, 2])
async def test_arguments_of_a_private_conversation_reach_nobody_else(
    room_server: RoomServerUnderTest,
    room_name: str,
    enter: Enter,
    model: DemoModel,
    client_protocol: int,
) -> None:
    secret = "SECRET" * 1_500
    method = {"name": "getLocation", "description": "Where", "parameters": {"type": "object"}}
    alice = await enter("alice", attributes={ATTRIBUTE: json.dumps([method])})
    bob = await enter("bob")
    await bob.ask("hello everybody")  # All participants know each other by now.
    if client_protocol < 2:
        lie_about_protocol(room_server, room_name, "alice", client_protocol)
    phone = Phone(alice, "here")
    call_and_then(model, json.dumps({"near": secret}))
    await alice.send_packet({"type": "chat", "id": "m-1", "text": "Where?", "private": True})
    await alice.notice("answer.finished", inReplyTo="m-1")
    assert bool(phone.asked) == (client_protocol != 1)
    await bob.ask("And me?")
    assert "bob" not in recipients(room_server.embedded, room_name, "SECRET", alice, bob)


@pytest.mark.parametrize(
    ("method", "what"),
    [
        ({"name": "get location"}, "0.name"),
        ({"name": "x" * 65}, "0.name"),
        ({"name": ""}, "0.name"),
        ({"description": ""}, "0.description"),
        ({"description": "x" * 1_001}, "0.description"),
        ({"timeout": 5}, "0.timeout"),
        ({"parameters": {"type": "string"}}, "the type must be object"),
        ({"parameters": {}}, "the type must be object"),
        ({"parameters": []}, "0.parameters"),
    ],
)
def test_malformed_methods_are_refused(method: dict[str, object], what: str) -> None:
    with pytest.raises(MethodListError, match=what):
        parse(json.dumps([GET_LOCATION | method]))


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"pattern": "(a+)+$"}, "pattern is not supported"),
        ({"$ref": "http://127.0.0.1/"}, "ref is not supported"),
        ({"anyOf": []}, "anyOf is not supported"),
        ({"properties": []}, "properties must be an object"),
        ({"items": 5}, "a schema must be an object"),
    ],
)
def test_schemas_that_say_more_than_they_may(schema: dict[str, object], what: str) -> None:
    parameters = {"type": "object", "properties": {"x": {"type": "string"} | schema}}
    with pytest.raises(MethodListError, match=what):
        parse(json.dumps([GET_LOCATION | {"parameters": parameters}]))


def test_a_list_is_not_any_number_of_bytes_long() -> None:
    assert parse("") == []
    assert len(parse(OFFER[ATTRIBUTE].ljust(MAX_BYTES))) == 1
    with pytest.raises(MethodListError, match="16384 bytes"):
        parse(OFFER[ATTRIBUTE].ljust(MAX_BYTES + 1))


def test_schemas_are_not_any_number_of_levels_deep() -> None:
    schema: dict[str, object] = {"type": "object"}
    for _ in range(20):
        schema = {"type": "object", "properties": {"x": schema}}
    with pytest.raises(MethodListError, match="8 levels deep"):
        parse(json.dumps([GET_LOCATION | {"parameters": schema}]))
