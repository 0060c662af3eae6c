"""Model services with ways of their own, as people in a room see them."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from itertools import pairwise

import pytest

from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.models.model_streams import (
    CALLED,
    DONE,
    END,
    ERRORS,
    HARMLESS,
    STOP,
    WHOLE,
    Stream,
    call,
    d,
    text,
)
from tests.agent.models.model_text_streams import CHARACTERS, THINKING
from tests.agent.models.raw_model import RawAnswer, RawModel, RawRequest, said
from toolkit.tool import tool

CUT_OFF = "(The answer was cut off here. Please ask again.)"


@tool
async def look(city: str = "nowhere") -> str:
    """Look at a city."""
    return f"{city} is fine"


@pytest.fixture
async def service() -> AsyncGenerator[RawModel]:
    async with RawModel() as service:
        yield service


@pytest.fixture
async def worker(start_worker: StartWorker, service: RawModel) -> Worker:
    return await start_worker(tools=[look], OPENAI_BASE_URL=service.base_url, LLM_RETRIES="0")


async def test_text_of_all_kinds_of_streams(
    enter: Enter, service: RawModel, worker: Worker
) -> None:
    alice = await enter("alice", worker=worker)
    streams = [s for s in [*HARMLESS, *CHARACTERS, *THINKING, *WHOLE] if s.text and not s.calls]
    for stream in streams:
        service.script(RawAnswer(stream.body, kind=stream.kind))
        answer = await alice.ask(f"an answer like {stream.name}".replace(":", ","))
        reason = "length" if stream.finish == "length" else "stop"
        assert (answer.text, answer.finish_reason) == (stream.text, reason), stream.name


@pytest.mark.parametrize("stream", ERRORS[:3], ids=lambda each: f"{each.service}: {each.name}")
async def test_an_error_in_a_stream_cuts_the_answer_off(
    enter: Enter, service: RawModel, worker: Worker, stream: Stream
) -> None:
    alice = await enter("alice", worker=worker)
    service.script(RawAnswer(stream.body))

    answer = await alice.ask("hello")

    assert (answer.text, answer.finish_reason) == (f"Hello wor\n\n{CUT_OFF}", "error")


@pytest.mark.parametrize("begun", [True, False], ids=["in the middle", "at once"])
async def test_an_answer_that_a_filter_withholds_ends_as_an_error_that_says_so(
    enter: Enter, service: RawModel, worker: Worker, begun: bool
) -> None:
    alice = await enter("alice", worker=worker)
    service.script(
        RawAnswer((text("Hello wor") if begun else b"") + d({}, "content_filter") + DONE)
    )

    answer = await alice.ask("hello")

    assert answer.finish_reason == "error"
    assert answer.text.startswith("Hello wor\n\n(") is begun
    assert "withheld" in answer.text


@pytest.mark.parametrize(
    ("calls", "cities"),
    [
        (
            call("", "look", index=0, id="1")
            + call("", "look", index=1, id="2")
            + call('{"city": "Paris"}', index=0)
            + call('{"city": "Oslo"}', index=1)
            + CALLED,
            ["Paris", "Oslo"],
        ),
        (call({"city": "Paris"}, "look", index=0, id="1") + CALLED, ["Paris"]),
        (call('{"city": "Paris"}', "look", index=0, id="1"), ["Paris"]),
        (
            call('{"city": "Paris"}', "look", index=0, id="1")
            + b'data: {"id":"c","choices":[{"index":0,"finish_reason":"tool_calls"}]}\n\n',
            ["Paris"],
        ),
    ],
    ids=["opened first", "an object", "no finish reason", "finish without delta"],
)
async def test_each_call_runs_with_its_own_arguments(
    enter: Enter, service: RawModel, worker: Worker, calls: bytes, cities: list[str]
) -> None:
    alice = await enter("alice", worker=worker)
    service.script(RawAnswer(calls + DONE), RawAnswer(said("Fine.")))

    assert (await alice.ask("How are they?")).text == "Fine."

    results = [m["content"] for m in service.requests[-1].body["messages"] if m["role"] == "tool"]
    assert results == [f"{city} is fine" for city in cities]


async def test_repeated_ids_are_distinguished(
    enter: Enter, service: RawModel, worker: Worker
) -> None:
    alice = await enter("alice", worker=worker)
    for city in ("Paris", "Oslo"):
        arguments = json.dumps({"city": city})
        service.script(
            RawAnswer(call(arguments, "look", index=0, id="call_0") + CALLED + DONE),
            RawAnswer(said(f"{city}!")),
        )
        assert (await alice.ask(f"How is {city}?")).text == f"{city}!"

    messages = service.requests[-1].body["messages"]
    asked = {
        each["id"]: json.loads(each["function"]["arguments"])["city"]
        for message in messages
        for each in message.get("tool_calls", ())
    }
    told = {m["tool_call_id"]: m["content"] for m in messages if m["role"] == "tool"}
    assert {each: f"{city} is fine" for each, city in asked.items()} == told
    assert len(told) == 2


def refusing(field: str, status: int, body: object) -> object:
    """A service that refuses each request with this field in it."""

    def answer(request: RawRequest) -> RawAnswer:
        if field in request.body:
            return RawAnswer(json.dumps(body).encode(), status, "application/json")
        return RawAnswer(said("Hello."))

    return answer


REFUSALS = {
    "Ollama": ("tools", 400, {"error": {"message": "library/gemma:2b does not support tools"}}),
    "Mistral": (
        "stream_options",
        422,
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "no"}]},
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_field_is_left_out_from_then_on(
    enter: Enter,
    service: RawModel,
    worker: Worker,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    field, status, body = REFUSALS[name]
    service.answer = refusing(field, status, body)  # pyright: ignore[reportAttributeAccessIssue]
    alice = await enter("alice", worker=worker)

    with caplog.at_level(logging.WARNING):
        assert (await alice.ask("hello")).text == "Hello."
        assert (await alice.ask("and again")).text == "Hello."

    assert [field in request.body for request in service.requests] == [True, False, False]
    assert f"refuses requests for gpt-4.1-mini with {field}" in caplog.text


@pytest.mark.parametrize(
    "message", ["Conversation roles must alternate user/assistant/user/assistant/...", "No."]
)
async def test_after_an_answer_that_failed_roles_alternate(
    enter: Enter, service: RawModel, worker: Worker, message: str
) -> None:
    def answer(request: RawRequest) -> RawAnswer:
        roles = [each["role"] for each in request.body["messages"]]
        if any(one == other for one, other in pairwise(roles)):
            body = json.dumps({"object": "error", "message": message, "code": 400})
            return RawAnswer(body.encode(), 400, "application/json")
        return RawAnswer(said("Hello."))

    alice = await enter("alice", worker=worker)
    service.script(RawAnswer(b'{"error":"boom"}', 500, "application/json"))
    service.answer = answer
    assert (await alice.ask("first")).finish_reason == "error"

    assert (await alice.ask("second")).text == "Hello."
    assert (await alice.ask("third")).text == "Hello."

    messages = service.requests[-1].body["messages"]
    assert [each["content"] for each in messages[1:]] == ["first\n\nsecond", "Hello.", "third"]
    assert len(service.requests) == 4, "it is refused once and not tried again"


async def test_reasoning_goes_back_to_a_service_that_wants_it(
    enter: Enter, service: RawModel, worker: Worker
) -> None:
    def answer(request: RawRequest) -> RawAnswer:
        called = [m for m in request.body["messages"] if m.get("tool_calls")]
        if not called:
            thought = d({"reasoning_content": "Look it up."})
            return RawAnswer(thought + call("{}", "look", index=0, id="1") + CALLED + DONE)
        if any(not message.get("reasoning_content") for message in called):
            error = {"error": {"message": "Missing `reasoning_content` field in the message"}}
            return RawAnswer(json.dumps(error).encode(), 400, "application/json")
        return RawAnswer(said("It is fine."))

    service.answer = answer
    alice = await enter("alice", worker=worker)

    assert (await alice.ask("How is it?")).text == "It is fine."
    assert (await alice.ask("And now?")).text == "It is fine."
    assert len(service.requests) == 3


async def test_the_log_has_what_the_service_says_without_what_people_say(
    enter: Enter, service: RawModel, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await enter("alice", worker=worker)
    error = {
        "error": {"message": "The prompt 'my secret is swordfish' has no length", "code": "x9"}
    }
    service.script(RawAnswer(json.dumps(error).encode(), 400, "application/json"))

    with caplog.at_level(logging.WARNING):
        answer = await alice.ask("my secret is swordfish")

    assert answer.finish_reason == "error"
    assert "prompt" not in answer.text
    assert "status 400, code x9: The prompt '…' has no length" in caplog.text
    assert "swordfish" not in caplog.text


async def test_a_lone_end_of_reasoning_is_learned_from(
    enter: Enter, service: RawModel, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    stream = text("secret") + text("</think>") + text("\n\nHi") + STOP + DONE
    service.answer = lambda _: RawAnswer(stream, cut=7)
    alice = await enter("alice", worker=worker)

    assert (await alice.ask("hello")).text.endswith("Hi")
    assert (await alice.ask("hello again")).text == "Hi"

    assert "no beginning" in caplog.text
    service.answer = lambda _: RawAnswer(text("No thoughts.") + END)
    assert (await alice.ask("and now")).text == "No thoughts."


async def test_a_question_that_a_filter_refuses_is_not_asked_again_with_the_next_one(
    enter: Enter, service: RawModel, worker: Worker
) -> None:
    error = {
        "message": "The prompt triggered the content management policy",
        "code": "content_filter",
    }
    refusal = RawAnswer(json.dumps({"error": error}).encode(), 400, "application/json")
    service.answer = lambda request: (
        refusal if "unspeakable" in str(request.body["messages"]) else RawAnswer(said("Hello."))
    )
    alice = await enter("alice", worker=worker)

    refused = await alice.ask("something unspeakable")
    assert (refused.finish_reason, "withheld" in refused.text) == ("error", True)
    assert (await alice.ask("something else")).text == "Hello."


@pytest.mark.parametrize(("seconds", "requests"), [("0", 2), ("3600", 1)], ids=["soon", "too late"])
async def test_a_service_is_left_alone_as_long_as_it_wants(
    enter: Enter,
    service: RawModel,
    start_worker: StartWorker,
    seconds: str,
    requests: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = await start_worker(OPENAI_BASE_URL=service.base_url, LLM_RETRIES="1")
    busy = b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}'
    service.script(RawAnswer(busy, 429, "application/json", {"retry-after": seconds}))
    alice = await enter("alice", worker=worker)

    answer = await alice.ask("hello")

    assert len(service.requests) == requests
    assert answer.finish_reason == ("stop" if requests == 2 else "error")
    assert "status 429, code rate_limit_exceeded: slow down" in caplog.text


async def test_a_refusal_of_the_model_is_its_answer(
    enter: Enter, service: RawModel, worker: Worker
) -> None:
    service.script(RawAnswer(d({"refusal": "I cannot help with that."}) + END))
    alice = await enter("alice", worker=worker)

    answer = await alice.ask("hello")

    assert (answer.text, answer.finish_reason) == ("I cannot help with that.", "stop")


async def test_each_tool_is_described_with_properties(
    enter: Enter, service: RawModel, start_worker: StartWorker
) -> None:
    @tool
    async def nothing() -> str:
        """Do nothing."""
        return ""

    worker = await start_worker(tools=[look, nothing], OPENAI_BASE_URL=service.base_url)
    alice = await enter("alice", worker=worker)
    await alice.ask("hello")

    functions = [each["function"] for each in service.requests[0].body["tools"]]
    parameters = {each["name"]: each["parameters"] for each in functions}
    assert {each["type"] for each in parameters.values()} == {"object"}
    assert sorted(parameters["look"]["properties"]) == ["city"]
    assert parameters["nothing"]["properties"] == {}
