"""The chat completions wire format: requests in, JSON bodies and event-stream chunks out.

Shapes are those of https://platform.openai.com/docs/api-reference/chat; only the fields that a chat
with tools needs are read, all others are ignored.
"""

import re
from dataclasses import dataclass
from typing import Literal

import msgspec

_TOKEN = re.compile(r"\s*\S{1,24}|\s+")

DONE = b"data: [DONE]\n\n"


class FunctionCall(msgspec.Struct):
    name: str = ""
    arguments: str = ""


class ToolCall(msgspec.Struct):
    id: str = ""
    function: FunctionCall = msgspec.field(default_factory=FunctionCall)


class ContentPart(msgspec.Struct):
    type: str
    text: str = ""


class Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The message's text; parts that are not text (images, audio) are left out."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class FunctionSpec(msgspec.Struct):
    name: str


class ToolSpec(msgspec.Struct):
    function: FunctionSpec


class StreamOptions(msgspec.Struct):
    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """A request body of `POST /v1/chat/completions`."""

    model: str
    messages: list[Message]
    stream: bool = False
    stream_options: StreamOptions | None = None
    tools: list[ToolSpec] = []
    tool_choice: str | ToolSpec | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None

    @property
    def user_text(self) -> str:
        """The last message of the user, or "" where there is none."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def offered_tools(self) -> frozenset[str]:
        """Names of the tools that may be called."""
        match self.tool_choice:
            case "none":
                return frozenset()
            case ToolSpec(function=chosen):
                return frozenset({chosen.name})
            case _:
                return frozenset(tool.function.name for tool in self.tools)

    @property
    def tool_results(self) -> list[tuple[ToolCall, str]]:
        """The calls since the user's last message, each with its result."""
        recent: list[Message] = []
        for message in reversed(self.messages):
            if message.role == "user":
                break
            recent.append(message)
        calls = {call.id: call for m in recent for call in m.tool_calls or []}
        return [
            (calls[m.tool_call_id], m.text)
            for m in reversed(recent)
            if m.role == "tool" and m.tool_call_id in calls
        ]

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


decode_request = msgspec.json.Decoder(ChatRequest).decode


def split_tokens(text: str) -> list[str]:
    """Cut a text into word-like tokens, each with the space before it; joined they are the text."""
    return _TOKEN.findall(text)


@dataclass(frozen=True, slots=True)
class Completion:
    """The whole answer to one request; the stream form is made from it piece by piece."""

    id: str
    model: str
    created: int
    tokens: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    prompt_tokens: int

    @property
    def usage(self) -> dict[str, object]:
        arguments = sum(len(split_tokens(c.function.arguments)) for c in self.tool_calls)
        completion_tokens = len(self.tokens) + arguments
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }

    def body(self) -> bytes:
        """The answer to a request without `stream`."""
        message: dict[str, object] = {"role": "assistant", "content": "".join(self.tokens) or None}
        if self.tool_calls:
            message["tool_calls"] = [_tool_call(c, c.function.arguments) for c in self.tool_calls]
        return msgspec.json.encode(
            {
                "id": self.id,
                "object": "chat.completion",
                "created": self.created,
                "model": self.model,
                "choices": [
                    {"index": 0, "message": message, "finish_reason": self.finish_reason},
                ],
                "usage": self.usage,
            }
        )

    def opening(self) -> bytes:
        """The first event: the role alone, as the real service sends it."""
        return self._event(b'{"role":"assistant","content":""}')

    def content(self) -> list[bytes]:
        """One event for each token, then those of the tool calls, arguments in fragments.

        Everything but the token is encoded once, since this is done for every token.
        """
        # JSON never contains a bare NUL, so it marks the token's place whatever the model's name.
        head, tail = self._event(b'{"content":\0}').split(b"\0")
        encode = msgspec.json.encode
        events = [head + encode(token) + tail for token in self.tokens]
        for index, call in enumerate(self.tool_calls):
            opening = {"index": index, **_tool_call(call, "")}
            events.append(self._event(encode({"tool_calls": [opening]})))
            for fragment in split_tokens(call.function.arguments):
                delta = {"index": index, "function": {"arguments": fragment}}
                events.append(self._event(encode({"tool_calls": [delta]})))
        return events

    def closing(self, *, with_usage: bool) -> bytes:
        """The finish reason, the usage where it was asked for, and the end of the stream."""
        finish = self._event(b"{}", finish_reason=msgspec.json.encode(self.finish_reason))
        if not with_usage:
            return finish + DONE
        usage = self._envelope(b"[]", msgspec.json.encode(self.usage))
        return finish + usage + DONE

    def _event(self, delta: bytes, *, finish_reason: bytes = b"null") -> bytes:
        choices = b'[{"index":0,"delta":%b,"finish_reason":%b}]' % (delta, finish_reason)
        return self._envelope(choices, b"null")

    def _envelope(self, choices: bytes, usage: bytes) -> bytes:
        return (
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,'
            b'"choices":%b,"usage":%b}\n\n'
        ) % (
            msgspec.json.encode(self.id),
            self.created,
            msgspec.json.encode(self.model),
            choices,
            usage,
        )


def _tool_call(call: ToolCall, arguments: str) -> dict[str, object]:
    function = {"name": call.function.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def error_body(message: str, *, kind: str, code: str | None, param: str | None = None) -> bytes:
    """An error as the API words it: `{"error": {message, type, param, code}}`."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return msgspec.json.encode({"error": error})
