"""Streams of services, recorded or documented, and the right way to read them.

Each row names where its shape comes from. `docs/models.md` tells operators what follows from them.
Rows without a project are siblings of the ones above them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Calls = tuple[tuple[str, Any], ...]
"""Names and arguments."""

PARIS = {"city": "Paris"}
PARIS_TEXT = '{"city": "Paris"}'


@dataclass(frozen=True)
class Stream:
    """A body, and what comes of it.

    Attributes:
        error: whether it fails, after the text.
        thought: the model's reasoning, which is no text.
    """

    service: str
    name: str
    body: bytes
    text: str = ""
    finish: str | None = "stop"
    calls: Calls = ()
    error: bool = False
    thought: str = ""
    source: str = ""
    kind: str = "text/event-stream"


def event(value: object) -> bytes:
    """An event with JSON, or with plain text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def choice(delta: object = None, finish: object = None, **more: object) -> dict[str, object]:
    fields: dict[str, object] = {"index": 0, "finish_reason": finish}
    if delta is not None:
        fields["delta"] = delta
    return {"id": "c", "choices": [fields | more]}


def d(delta: object, finish: object = None, **more: object) -> bytes:
    return event(choice(delta, finish, **more))


def text(content: object, finish: object = None) -> bytes:
    return d({"content": content}, finish)


def call(
    arguments: object = None, name: str | None = None, *, finish: object = None, **more: object
) -> bytes:
    return d({"tool_calls": [piece(arguments, name, **more)]}, finish)


def piece(arguments: object = None, name: str | None = None, **more: object) -> dict[str, object]:
    function: dict[str, object] = {} if name is None else {"name": name}
    if arguments is not None:
        function["arguments"] = arguments
    return {**more, "function": function}


def whole(message: object, finish: object = "stop", **more: object) -> bytes:
    """A response that is no stream."""
    return json.dumps(
        {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}
    ).encode()


STOP = d({}, "stop")
CALLED = d({}, "tool_calls")
DONE = event("[DONE]")
END = STOP + DONE
HELLO = text("Hello five.")

_AFTER_THE_END = {
    "null choices": event({"id": "c", "choices": None, "usage": {"prompt_tokens": 1}}),
    "float usage": event({"id": "c", "choices": [], "usage": {"prompt_tokens": 12.0}}),
    "usage as text": event({"id": "c", "choices": [], "usage": "12"}),
    "[DONE] as JSON": event('"[DONE]"'),
    "blanks before [DONE]": b"data:   [DONE]\n\n",
    "broken JSON": event("{oops"),
    "text that is no JSON": event("goodbye"),
    "an error after the answer": event({"error": {"message": "too late"}}),
    "nested too deep": event('{"choices":' + "[" * 5000 + "]" * 5000 + "}"),
    "an event too large": b"data: " + b"x" * (2**20 + 1),
    "nothing at all": b"",
}
_BEFORE_THE_TEXT = {
    "null": event("null"),
    "null id": event({"id": None, "choices": [{"index": 0, "delta": {"role": "assistant"}}]}),
    "null index": event({"id": "c", "choices": [{"index": None, "delta": {"content": ""}}]}),
    "index as text": event({"id": "c", "choices": [{"index": "0", "delta": {"content": ""}}]}),
    "null delta": event('{"id":"c","choices":[{"index":0,"delta":null}]}'),
    "number as id": event({"id": 7, "choices": []}),
    "nothing": event("{}"),
    "list": event("[]"),
    "no data": b"event: ping\n\ndata:\n\n: comment\n\n",
    "ping": event("ping"),
    "a message that is no error": event({"code": 0, "message": "Success"}),
    "data: twice": b"data: " + text(""),
    "byte order mark": b"\xef\xbb\xbf" + d({"role": "assistant"}),
    "Latin-1": b'data: {"id":"\xe9","choices":[{"index":0,"delta":{}}]}\n\n',
}
HARMLESS = [
    Stream(
        "DashScope",
        "null as text for a finish reason",
        text("Hel", "null") + text("lo", "null") + END,
        "Hello",
        source="songquanpeng/one-api: relay/adaptor/ali/main.go",
    ),
    Stream(
        "any",
        "the whole message after its pieces",
        text("Hel")
        + text("lo")
        + event(choice(None, "stop", message={"role": "assistant", "content": "Hello"}))
        + DONE,
        "Hello",
    ),
    *(
        Stream("any", f"finish {word}", HELLO + d({}, word) + DONE, "Hello five.", "length")
        for word in ("max_completion_tokens", "repetition_truncation", "time_limit")
    ),
    *(
        Stream("any", f"after the finish: {name}", HELLO + STOP + rest, "Hello five.")
        for name, rest in _AFTER_THE_END.items()
    ),
    *(
        Stream("any", f"before the text: {name}", first + HELLO + END, "Hello five.")
        for name, first in _BEFORE_THE_TEXT.items()
    ),
    Stream(
        "any",
        "the form of plain completions",
        event({"object": "text_completion", "choices": [{"index": 0, "text": "Hel"}]})
        + event({"object": "text_completion", "choices": [{"index": "0", "text": "lo"}]})
        + event({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
        + DONE,
        "Hello",
        source="ikawrakow/ik_llama.cpp#767, langgenius/dify#2270",
    ),
    Stream("any", "byte order mark before text", b"\xef\xbb\xbf" + HELLO + END, "Hello five."),
    Stream(
        "any", "ends on a beginning of a tag", text("a < b and a <") + DONE, "a < b and a <", None
    ),
    Stream("any", "ends on a tag cut short", text("a</thin") + END, "a</thin"),
    Stream(
        "Azure",
        "filter results without delta, before and after",
        event({"id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
        + HELLO
        + event('{"id":"","choices":[{"index":0,"content_filter_results":{}}],"usage":null}')
        + END,
        "Hello five.",
        source="langchain-ai/langchain#18977, microsoft/autogen#6465",
    ),
    Stream(
        "OpenRouter",
        "comments, usage at last",
        b": OPENROUTER PROCESSING\n\n"
        + HELLO
        + STOP
        + event({"choices": [], "usage": {"prompt_tokens": 13, "cost": 0.000093}})
        + DONE,
        "Hello five.",
        source="openrouter.ai/docs/api-reference/streaming, Effect-TS/effect#6117",
    ),
    Stream(
        "SGLang",
        "empty finish reasons",
        text("Hel", "") + text("lo", "") + END,
        "Hello",
        source="sgl-project/sglang#3912",
    ),
    Stream(
        "SGLang",
        "two finish reasons",
        text("Hello", "stop") + END,
        "Hello",
        source="sgl-project/sglang#8417",
    ),
    Stream(
        "LiteLLM",
        "a finish reason in each",
        text("Hel", "stop") + text("lo", "stop") + DONE,
        "Hello",
        source="BerriAI/litellm#376",
    ),
    Stream(
        "TGI",
        "finish eos_token",
        HELLO + d({}, "eos_token") + DONE,
        "Hello five.",
        source="huggingface/text-generation-inference#2466",
    ),
    Stream(
        "Mistral",
        "finish model_length",
        HELLO + d({}, "model_length") + DONE,
        "Hello five.",
        "length",
        source="docs.mistral.ai/api",
    ),
    Stream(
        "Mistral",
        "content in parts",
        text([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}])
        + text([{"type": "text", "text": "Bon"}, {"type": "text", "text": "jour"}])
        + END,
        "Bonjour",
        thought="hm",
        source="docs.mistral.ai/capabilities/reasoning",
    ),
    Stream(
        "Ollama",
        "running usage",
        event(choice({"content": "Hello"}) | {"usage": {"prompt_tokens": 1}})
        + event(choice({}, "stop") | {"usage": {"prompt_tokens": 1, "completion_tokens": 2}})
        + DONE,
        "Hello",
    ),
    Stream(
        "OpenAI",
        "refusal",
        d({"refusal": "I cannot "}) + d({"refusal": "help with that."}) + END,
        "I cannot help with that.",
        source="platform.openai.com/docs/guides/structured-outputs#refusals",
    ),
]


_VLLM_ERROR = {"object": "error", "message": "boom", "type": "InternalServerError", "code": 500}
_ERRORS = {
    ("vLLM", "top level", "block/goose#8031"): event(_VLLM_ERROR),
    ("OpenAI", "error", ""): event({"error": {"message": "boom", "type": "server_error"}}),
    ("OpenAI", "event: error", "anomalyco/opencode"): b"event: error\n"
    + event({"message": "boom"}),
    ("Ollama", "text", "ollama/ollama server/routes.go"): event({"error": "boom"}),
    (
        "llama.cpp",
        "field error",
        "ggml-org/llama.cpp#16109",
    ): b'error: {"code":500,"message":"boom"}\n\n',
    ("llama.cpp", "data", "ggml-org/llama.cpp#14566"): event(
        {"error": {"code": 500, "message": "boom"}}
    ),
    ("TGI", "with a type", "huggingface/huggingface_hub#2514"): event(
        {"error": "boom", "error_type": "generation"}
    ),
    ("OpenRouter", "finish reason error", "openrouter.ai/docs/api-reference/streaming"): event(
        choice({"content": ""}, "error") | {"error": {"code": 502, "message": "boom"}}
    ),
    ("OpenRouter", "error of a choice", "api.koog.ai OpenRouterStreamChoice"): event(
        choice({"content": ""}, None, error={"code": 502, "message": "boom"})
    ),
    ("DeepSeek", "no resources", "api-docs.deepseek.com/api/create-chat-completion"): d(
        {}, "insufficient_system_resource"
    ),
    ("SGLang", "abort", "sgl-project/sglang protocol.py"): d({}, "abort"),
    ("Gemini", "in a list", "jackmpcollins/magentic#382"): event(
        [{"error": {"code": 500, "message": "boom", "status": "INTERNAL"}}]
    ),
    ("Gemini", "malformed call", "googleapis/python-genai#1836"): d(
        {}, "function_call_filter: MALFORMED_FUNCTION_CALL"
    ),
    ("LiteLLM", "FastAPI's detail", ""): event({"detail": "boom"}),
    (
        "DashScope",
        "code and message",
        "dashscope/dashscope-sdk-python: dashscope/api_entities/http_request.py",
    ): event({"code": "InternalError", "message": "boom"}),
    (
        "Tencent",
        "ErrorMsg",
        "TencentCloud/tencentcloud-sdk-python: hunyuan/v20230901/models.py",
    ): event({"Choices": [], "ErrorMsg": {"Msg": "boom", "Code": 4001}}),
    (
        "Tencent",
        "Response",
        "TencentCloud/tencentcloud-sdk-python: tencentcloud/common/abstract_client.py",
    ): event({"Response": {"Error": {"Code": "InternalError", "Message": "boom"}}}),
    ("any gateway", "no success", ""): event({"success": False, "errorMessage": "boom"}),
    ("any gateway", "a timeout", ""): d({}, "timeout"),
    ("any gateway", "cancelled", ""): d({}, "cancelled"),
    ("MiniMax", "base_resp", ""): event(
        {"choices": None, "base_resp": {"status_code": 1013, "status_msg": "boom"}}
    ),
    ("any gateway", "a line of JSON", ""): b'{"error":{"message":"boom"}}\n\n',
    ("any gateway", "text", ""): event("upstream connect error"),
    ("any", "broken JSON", ""): event("{oops"),
    ("any", "no finish and no [DONE]", ""): b"",
}
ERRORS = [
    Stream(
        service,
        f"error: {name}",
        text("Hello wor") + body + (DONE if body else b""),
        "Hello wor",
        None,
        error=True,
        source=source,
    )
    for (service, name, source), body in _ERRORS.items()
]


WHOLE = [
    Stream(
        "any",
        "JSON for a stream",
        whole({"role": "assistant", "content": "Hello"}),
        "Hello",
        kind="application/json",
    ),
    Stream(
        "any",
        "JSON for a stream, on lines",
        json.dumps(json.loads(whole({"content": "Hello"})), indent=1).encode(),
        "Hello",
        kind="application/json",
    ),
    Stream("any", "JSON that is called a stream", whole({"content": "Hello"}), "Hello"),
    Stream(
        "any",
        "a message without a finish reason",
        whole({"content": "Hello"}, None),
        "Hello",
        None,
        kind="application/json",
    ),
    Stream(
        "any",
        "a call",
        whole({"content": None, "tool_calls": [piece(PARIS_TEXT, "look", id="1")]}, "tool_calls"),
        finish="tool_calls",
        calls=(("look", PARIS),),
        kind="application/json",
    ),
    Stream(
        "any",
        "an error",
        b'{"error":{"message":"boom","code":500}}',
        "",
        None,
        error=True,
        kind="application/json",
    ),
    Stream(
        "Gemini",
        "an error in a list",
        b'[{"error":{"message":"boom","code":500}}]',
        "",
        None,
        error=True,
        kind="application/json",
    ),
    Stream(
        "any", "a page", b"<html>Welcome to the wifi</html>", "", None, error=True, kind="text/html"
    ),
]
