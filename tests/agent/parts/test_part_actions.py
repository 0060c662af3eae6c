"""Actions of data parts: partAction."""

from __future__ import annotations

import json

import pytest
from livekit import rtc

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from toolkit import Data, NotFound, PartAction, Tool, ToolContext, tool

SCHEMA = {
    "type": "object",
    "properties": {"seats": {"type": "integer", "minimum": 1, "maximum": 4}},
    "required": ["seats"],
    "additionalProperties": False,
}


class Booking:
    """A tool with a form, and what was done with it."""

    def __init__(self) -> None:
        self.actions: list[PartAction] = []

    def tool(self) -> Tool:
        @tool
        async def book(context: ToolContext) -> str:
            """Book seats."""
            context.show(Data("form", {}, id="form", schema=SCHEMA, on_action=self._booked))
            context.show(Data("button", {}, id="button", on_action=self._pressed))
            context.show(Data("picture", {}, id="picture"))
            return "Ask them to fill in the form"

        return book

    async def _booked(self, action: PartAction) -> dict[str, object]:
        self.actions.append(action)
        return {"booked": action.payload["seats"]}

    async def _pressed(self, action: PartAction) -> str:
        if action.action == "fail":
            raise NotFound("Sold out")
        if action.action == "break":
            raise RuntimeError("secret cause")
        return action.action


@pytest.fixture
def booking() -> Booking:
    return Booking()


@pytest.fixture
async def alice(start_worker: StartWorker, enter: Enter, booking: Booking) -> ChatClient:
    return await enter("alice", worker=await start_worker(tools=[booking.tool()]))


async def asked(client: ChatClient, model: DemoModel, **attributes: str) -> str:
    """Makes the model call the tool; returns the answer's segment id."""
    model.script(Reply(tool_calls=[tool_call("book")]), Reply("Please fill it in."))
    question = await client.say("Book seats", **attributes)
    await client.parts_of(question)
    return client.parts_under_way(question)[0].attributes["lk.segment_id"]


async def act(client: ChatClient, message: str, part: str, action: str, payload: object) -> str:
    given = {"message": message, "part": part, "action": action}
    if payload is not None:
        given["payload"] = payload  # pyright: ignore[reportArgumentType] - bad ones are sent, too
    return await client.ask_method("partAction", json.dumps(given))


async def refused(
    client: ChatClient, message: str, part: str, action: str, payload: object = None
) -> tuple[int, str]:
    with pytest.raises(rtc.RpcError) as caught:
        await act(client, message, part, action, payload)
    return caught.value.code, caught.value.message


async def test_an_action_goes_to_the_tool_that_made_the_part(
    alice: ChatClient, enter: Enter, model: DemoModel, booking: Booking
) -> None:
    bob = await enter("bob")
    answer = await asked(alice, model)
    assert await act(alice, answer, "form", "submit", {"seats": 2}) == '{"booked":2}'
    assert await act(bob, answer, "form", "submit", {"seats": 3}) == '{"booked":3}'
    assert await act(bob, answer, "button", "press", None) == "press"
    assert [
        (each.part, each.action, each.payload, each.caller.identity) for each in booking.actions
    ] == [
        ("form", "submit", {"seats": 2}, "alice"),
        ("form", "submit", {"seats": 3}, "bob"),
    ]


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"seats": 9}, "seats"),
        ({"seats": "2"}, "seats"),
        ({}, "seats: required"),
        ({"seats": 1, "more": 1}, "more: unknown argument"),
        ([1], "payload"),
    ],
)
async def test_a_payload_that_does_not_fit_is_refused(
    alice: ChatClient, model: DemoModel, booking: Booking, payload: object, told: str
) -> None:
    answer = await asked(alice, model)
    code, message = await refused(alice, answer, "form", "submit", payload)
    assert code == 400
    assert told in message
    assert booking.actions == []


async def test_a_handler_fails_as_tools_do(alice: ChatClient, model: DemoModel) -> None:
    answer = await asked(alice, model)
    assert await refused(alice, answer, "button", "fail") == (404, "Sold out")
    assert await refused(alice, answer, "button", "break") == (500, "Operation failed")


async def test_there_is_nothing_to_do_with_other_parts(alice: ChatClient, model: DemoModel) -> None:
    answer = await asked(alice, model)
    for message, part in ((answer, "picture"), (answer, "none"), ("SG_none", "form")):
        assert (await refused(alice, message, part, "press"))[0] == 404
    model.script(Reply("Anew."))
    await alice.call("regenerate", json.dumps({"messageId": answer}))
    await alice.until(lambda: len(alice.notices("answer.finished", segmentId=answer)) == 2)
    assert (await refused(alice, answer, "form", "submit", {"seats": 2}))[0] == 404


async def test_parts_of_deleted_answers_take_no_actions(
    alice: ChatClient, model: DemoModel
) -> None:
    answer = await asked(alice, model)
    await alice.call("deleteMessage", json.dumps({"messageId": answer}))
    assert (await refused(alice, answer, "form", "submit", {"seats": 2}))[0] == 404
    private = await asked(alice, model, scope="private")
    public = await asked(alice, model)
    await alice.call("deleteThread", '{"thread": "private:alice"}')
    assert (await refused(alice, private, "form", "submit", {"seats": 2}))[0] == 404
    assert await act(alice, public, "form", "submit", {"seats": 2}) == '{"booked":2}'


async def test_private_parts_are_not_there_for_others(
    alice: ChatClient, enter: Enter, model: DemoModel, booking: Booking
) -> None:
    bob = await enter("bob", attributes={"role": "moderator"})
    answer = await asked(alice, model, scope="private")
    assert (await refused(bob, answer, "form", "submit", {"seats": 2}))[0] == 404
    assert await act(alice, answer, "form", "submit", {"seats": 2}) == '{"booked":2}'
    assert [each.caller.identity for each in booking.actions] == ["alice"]
