"""Services name the field that they refuse, and the next request leaves it out."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from agent.models.dialect import MAX_DIALECTS, REMEMBERED_SECONDS, Dialect, Dialects
from agent.models.error_report import MAX_MESSAGE, ErrorReport
from agent.models.openai_client import OpenAIClient
from agent.models.refused_field import (
    NO_CONTENT,
    NO_THOUGHTS,
    PICTURES,
    ROLES_IN_A_ROW,
    SYSTEM,
    THOUGHTS,
    TOOLS,
    refused_part,
)
from agent.models.service_words import ServiceWords
from tests.agent.models.raw_model import RawAnswer, RawModel, RawRequest, said
from tests.agent.models.refusals import REFUSALS, openai

CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:"}}
BODY = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [PICTURE, {"type": "text", "text": "What is that?"}]},
        {"role": "assistant", "tool_calls": [CALL], THOUGHTS: "Hm."},
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
    ],
    "tools": [{"type": "function", "function": {"name": "look"}}],
    "tool_choice": "none",
    "parallel_tool_calls": False,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "max_completion_tokens": 100,
    "reasoning_effort": "low",
}


@pytest.mark.parametrize(
    ("status", "body", "part"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_each_refusal_names_what_to_leave_out(status: int, body: object, part: str | None) -> None:
    report = ErrorReport.of(body if isinstance(body, str) else json.dumps(body))

    assert refused_part(status, report, BODY) == part
    assert "swordfish" not in report.message


def test_only_what_was_sent_can_be_left_out() -> None:
    report = ErrorReport(message="tools, temperature and stream_options are not supported")

    assert refused_part(400, report, {"messages": []}) is None


def test_roles_in_a_row_are_the_last_thing_that_a_refusal_may_mean() -> None:
    asked = {"messages": [{"role": "user", "content": each} for each in "ab"]}

    assert refused_part(400, ErrorReport(), asked) == ROLES_IN_A_ROW
    assert refused_part(500, ErrorReport(), asked) is None
    # FoundationAgents/OpenManus#894
    hunyuan = ErrorReport(message="messages 中 user 和 assistant 角色需交替出现")
    assert refused_part(400, hunyuan, asked) == ROLES_IN_A_ROW
    said_so = ErrorReport(message="Conversation roles must alternate user/assistant")
    assert refused_part(500, said_so, asked) == ROLES_IN_A_ROW


@pytest.mark.parametrize(
    "part", [TOOLS, PICTURES, SYSTEM, THOUGHTS, NO_THOUGHTS, NO_CONTENT, "max_completion_tokens"]
)
def test_a_request_without_it_is_a_request_still(part: str) -> None:
    before = json.dumps(BODY)
    adapted = Dialect("m").adapted(BODY, [part])
    messages = cast("list[dict[str, Any]]", adapted["messages"])
    text = json.dumps(adapted)

    if part == TOOLS:
        assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(adapted)
    elif part == PICTURES:
        assert messages[1]["content"].endswith("What is that?")
        assert "image_url" not in text
    elif part == SYSTEM:
        assert [each["role"] for each in messages] == ["user", "assistant", "tool"]
        assert messages[0]["content"][0]["text"] == "Be brief."
    elif part == THOUGHTS:
        assert THOUGHTS not in text
    elif part == NO_THOUGHTS:
        assert messages[2][THOUGHTS] == "Hm."
    elif part == NO_CONTENT:
        assert messages[2]["content"] == ""
    else:
        assert (adapted["max_tokens"], "max_completion_tokens" in adapted) == (100, False)
    assert json.dumps(BODY) == before, "the conversation's own messages do not change"


def test_a_refused_field_is_retried_after_a_time() -> None:
    now = [0.0]
    dialect = Dialect("m", clock=lambda: now[0])
    dialect.refuse(["temperature"])
    assert "temperature" not in dialect.adapted(BODY)
    now[0] += REMEMBERED_SECONDS
    assert dialect.adapted(BODY) == BODY


def test_so_many_models_are_remembered() -> None:
    known = Dialects()
    first = known.of("0")
    assert known.of("0") is first
    for number in range(MAX_DIALECTS):
        known.of(str(number + 1))

    assert known.of("0") is not first


async def test_a_change_that_did_not_help_is_not_remembered() -> None:
    body = json.dumps({"error": {"message": "temperature: no"}}).encode()
    async with RawModel() as server:
        server.answer = lambda _: RawAnswer(body, 400, "application/json")
        client = OpenAIClient(base_url=server.base_url)
        with pytest.raises(Exception, match="temperature: no"):
            await client.complete({"model": "m", "messages": [], "temperature": 1})
        await client.close()

    assert ["temperature" in each.body for each in server.requests] == [True, False]
    assert client.dialect("m").refused == []


async def test_several_refusals_in_a_row() -> None:
    def answer(request: RawRequest) -> RawAnswer:
        for name in ("stream_options", "temperature", "tools"):
            if name in request.body:
                error = {"error": {"message": f"Unsupported parameter: {name}", "param": name}}
                return RawAnswer(json.dumps(error).encode(), 400, "application/json")
        return RawAnswer(said("Hello."))

    async with RawModel() as server:
        server.answer = answer
        client = OpenAIClient(base_url=server.base_url)
        for _ in range(2):
            async with await client.complete(BODY) as stream:
                assert [each async for each in stream]
        await client.close()

    assert client.dialect("m").refused == ["stream_options", "temperature", "tools"]
    assert len(server.requests) == 5


def test_text_that_a_service_quotes_in_an_error_is_not_kept() -> None:
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "My number is\n4711 0815, call me."},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
    ]
    words = ServiceWords({"messages": messages}, "sk-1")

    quoted = words.report(openai("Bad text 'My number is 4711 0815, call me.' for sk-1")).message
    assert quoted == "Bad text '…' for ***"
    assert words.report("You are a helpful assistant.").message == "You are a helpful assistant."


@pytest.mark.parametrize(
    "body",
    [
        "x" * 100_000,
        "[" * 100_000,
        '{"error":' * 500 + "1" + "}" * 500,
        '{"detail":[{"loc":[1]}]}',
        "\ud83d",
        "null",
    ],
)
def test_a_report_is_short_whatever_is_said(body: str) -> None:
    report = ErrorReport.of(body)

    assert len(report.message) <= MAX_MESSAGE + 1
    assert refused_part(400, report, BODY) is None


def test_models_that_begin_in_the_middle_of_their_thoughts_are_known_by_name() -> None:
    names = ["deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "Qwen/QwQ-32B", "qwen3-4b-thinking-2507"]
    assert all(Dialect(name).opens_thinking for name in names)
    assert not any(Dialect(name).opens_thinking for name in ("gpt-5", "qwen3:8b", "llama3.2"))
