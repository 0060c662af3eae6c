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


def openai(message: str, param: str | None = None, code: str | None = None) -> object:
    return {"error": {"message": message, "type": "a_type", "param": param, "code": code}}


def vllm(message: str) -> object:
    return {"object": "error", "message": message, "type": "a type", "param": None, "code": 400}


def forbidden(*loc: str | int) -> list[object]:
    problem = {
        "type": "extra_forbidden",
        "loc": ["body", *loc],
        "msg": "Extra inputs are not permitted",
    }
    return [problem | {"input": "swordfish"}]


REFUSALS: list[tuple[str, int, object, str | None]] = [
    # evalstate/fast-agent#279
    (
        "OpenAI",
        400,
        openai(
            "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
            "parallel_tool_calls",
            "unsupported_parameter",
        ),
        "parallel_tool_calls",
    ),
    (
        "OpenAI, a value",
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0.5 with this model.",
            "temperature",
            "unsupported_value",
        ),
        "temperature",
    ),
    (
        "OpenAI, an old model",
        400,
        openai("Unrecognized request argument supplied: max_completion_tokens"),
        "max_completion_tokens",
    ),
    ("Azure", 400, openai("Unknown parameter: 'stream_options'."), "stream_options"),
    ("Mistral", 422, {"detail": forbidden("stream_options")}, "stream_options"),
    # mistralai/client-ts#65, partITech/php-mistral#76
    ("Mistral, nested", 422, {"object": "error", "message": {"detail": forbidden("tools")}}, TOOLS),
    (
        "Mistral, as the message",
        422,
        {"object": "Error", "message": forbidden("tool_choice")},
        "tool_choice",
    ),
    # BerriAI/litellm#30835
    (
        "Mistral, reasoning",
        422,
        {"detail": forbidden("messages", 2, "assistant", THOUGHTS)},
        THOUGHTS,
    ),
    # gpustack/gpustack#429
    (
        "vLLM, an old version",
        400,
        vllm(
            "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs"
            " are not permitted', 'input': {'include_usage': True}}]"
        ),
        "stream_options",
    ),
    # vllm-project/vllm#9986
    (
        "vLLM without a parser",
        400,
        vllm(
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        ),
        TOOLS,
    ),
    ("vLLM, a text model", 400, vllm("m is not a multimodal model"), PICTURES),
    ("vLLM, Gemma's template", 400, vllm("System role not supported"), SYSTEM),
    # ollama/ollama#6027
    ("Ollama", 400, openai("registry.ollama.ai/library/gemma:2b does not support tools"), TOOLS),
    ("Ollama, its own API", 400, {"error": "gemma:2b does not support tools"}, TOOLS),
    ("llama.cpp", 500, openai("tools param requires --jinja flag"), TOOLS),
    (
        "llama.cpp, no projector",
        500,
        openai("image input is not supported - hint: mmproj"),
        PICTURES,
    ),
    ("Groq", 400, openai("property 'parallel_tool_calls' is unsupported"), "parallel_tool_calls"),
    ("Groq, tools", 400, openai("`tool calling` is not supported with this model"), TOOLS),
    # jackmpcollins/magentic#382
    (
        "Gemini",
        400,
        [openai('Invalid JSON payload. Unknown name "parallel_tool_calls": Cannot find field.')],
        "parallel_tool_calls",
    ),
    (
        "Gemini, Gemma",
        400,
        [openai("Function calling is not enabled for models/gemma-3-27b-it")],
        TOOLS,
    ),
    (
        "Gemini, Gemma's template",
        400,
        [openai("Developer instruction is not enabled for models/gemma-3-27b-it")],
        SYSTEM,
    ),
    ("OpenRouter", 404, openai("No endpoints found that support tool use."), TOOLS),
    ("OpenRouter, pictures", 404, openai("No endpoints found that support image input"), PICTURES),
    (
        "LiteLLM",
        400,
        openai(
            "litellm.UnsupportedParamsError: x does not support parameters: ['reasoning_effort']"
        ),
        "reasoning_effort",
    ),
    (
        "TGI",
        422,
        "Failed to deserialize the JSON body: unknown field `stream_options`",
        "stream_options",
    ),
    # langchain-ai/langchain#34166, NousResearch/hermes-agent#16388
    (
        "DeepSeek",
        400,
        openai("Missing `reasoning_content` field in the assistant message"),
        NO_THOUGHTS,
    ),
    (
        "DeepSeek, V4",
        400,
        openai("The `reasoning_content` in the thinking mode must be passed back to the API."),
        NO_THOUGHTS,
    ),
    (
        "Kimi",
        400,
        openai(
            "thinking is enabled but reasoning_content is missing in assistant tool call message"
        ),
        NO_THOUGHTS,
    ),
    ("DeepSeek, V3", 400, openai("messages[2]: missing field `content`"), NO_CONTENT),
    ("a gateway", 501, "tools are not supported", TOOLS),
    ("a gateway, an ability", 400, openai("The model does not have tool-use capability"), TOOLS),
    (
        "a gateway, both",
        400,
        openai("parallel function calling is not supported"),
        "parallel_tool_calls",
    ),
    ("Django", 422, {"errors": {"stream_options": ["unknown field"]}}, "stream_options"),
    (
        "Gemini, its own names",
        400,
        openai('Invalid JSON payload received. Unknown name "streamOptions": Cannot find field.'),
        "stream_options",
    ),
    # Mistral-7B-Instruct-v0.2's template, chat_template in its tokenizer_config.json
    (
        "vLLM, no role system",
        400,
        vllm("Conversation roles must alternate user/assistant/user/assistant/..."),
        SYSTEM,
    ),
    ("a gateway, roles", 400, openai("messages[0].role must be one of user, assistant"), SYSTEM),
    (
        "FastAPI, roles",
        422,
        {
            "detail": [
                {
                    "type": "literal_error",
                    "loc": ["body", "messages", 0, "role"],
                    "msg": "Input should be 'user' or 'assistant'",
                }
            ]
        },
        SYSTEM,
    ),
    ("a gateway, the first", 400, openai("first message must use the user role"), SYSTEM),
    # Errors about something else, or about nothing that could be left out.
    (
        "OpenAI, a schema",
        400,
        openai("Invalid schema for function 'look'", "tools[0].function"),
        None,
    ),
    (
        "OpenAI, an id",
        400,
        openai(
            "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
        ),
        None,
    ),
    ("OpenAI, too long", 400, openai("This model's maximum context length is 8192 tokens."), None),
    ("OpenAI, the key", 401, openai("temperature and tools are not supported without a key"), None),
    ("OpenAI, the limit", 429, openai("Rate limit reached: temperature"), None),
    ("any", 500, openai("Internal error"), None),
    ("any, no message", 400, "", None),
]


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
