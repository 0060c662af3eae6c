"""Scripts for the demo model: its answers, and the ways in which it fails."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from devserver.model.wire import ChatRequest, FunctionCall, ToolCall, split_tokens

MAX_SCRIPTED = 1_000

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


class Fault(StrEnum):
    """A way in which an answer goes wrong after the connection is made."""

    NO_RESPONSE = "no_response"
    """Nothing is ever sent, not even a status."""
    SILENT = "silent"
    """The stream is open and says nothing more."""
    DROPPED = "dropped"
    """The connection is closed before an answer."""
    CUT = "cut"
    """The connection is closed in the middle of the stream."""
    ENDED_EARLY = "ended_early"
    """The stream ends in good order, but without finish reason and `[DONE]`."""
    MALFORMED = "malformed"
    """An event's data is not JSON."""
    ERROR_EVENT = "error_event"
    """An error object comes as an event of the stream."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Without text, tokens and tool calls, the model chooses its own words.

    Times are in seconds. `after` is the number of content events (tokens, or pieces of tool calls)
    that are sent before `fault` strikes or `pause` is waited for.
    """

    text: str | None = None
    tokens: Sequence[str] | None = None
    """The exact tokens, in place of `text` cut into words."""
    tool_calls: Sequence[ToolCall] = ()
    finish_reason: FinishReason | None = None
    first_token_delay: float = 0.0
    token_delay: float | None = None
    """Between tokens; 0 sends them all at once; None is the model's own pace."""
    pause: asyncio.Event | None = None
    fault: Fault | None = None
    after: int = 0
    status: int = 200
    """Any other than 200 is answered with an API error, and with `message` where it is given."""
    message: str | None = None
    retry_after: float | None = None

    def __post_init__(self) -> None:
        if self.text is not None and self.tokens is not None:
            raise ValueError("give text or tokens, not both")
        if min(self.first_token_delay, self.token_delay or 0, self.after) < 0:
            raise ValueError("delays and counts are not negative")
        if self.status != 200 and not 400 <= self.status <= 599:
            raise ValueError(f"status is 200 or an error's, 400 to 599, not {self.status}")

    @property
    def is_default(self) -> bool:
        """Whether the model chooses its own words."""
        return self.text is None and self.tokens is None and not self.tool_calls

    def content(self) -> tuple[str, ...]:
        if self.tokens is not None:
            return tuple(self.tokens)
        return tuple(split_tokens(self.text or ""))


def tool_call(name: str, arguments: str = "{}", call_id: str | None = None) -> ToolCall:
    """A call that a `Reply` makes; `arguments` is JSON text and is sent unchanged."""
    return ToolCall(id=call_id or "", function=FunctionCall(name=name, arguments=arguments))


Scripted: TypeAlias = Reply | Callable[[ChatRequest], Reply]


class Script:
    """Replies for requests to come: rules by what the user says, and a queue."""

    def __init__(self) -> None:
        self._rules: list[tuple[str, Scripted]] = []
        self._queue: deque[Scripted] = deque()

    def add(self, *replies: Scripted) -> None:
        """Answer the next requests with these, one each, in this order."""
        self._check_room(len(replies))
        self._queue.extend(replies)

    def when(self, substring: str, reply: Scripted) -> None:
        """Answer so whenever the user's last message contains `substring`; the first rule wins.

        A reply that calls tools is not repeated once they have answered.
        """
        self._check_room(1)
        self._rules.append((substring, reply))

    def clear(self) -> None:
        self._rules.clear()
        self._queue.clear()

    @property
    def pending(self) -> int:
        """Number of queued replies that no request has taken yet."""
        return len(self._queue)

    def take(self, request: ChatRequest) -> Reply:
        """The reply for this request; rules come before the queue."""
        for substring, scripted in self._rules:
            if substring in request.user_text:
                reply = _resolve(scripted, request)
                if not (reply.tool_calls and request.tool_results):
                    return reply
        if self._queue:
            return _resolve(self._queue.popleft(), request)
        return Reply()

    def _check_room(self, count: int) -> None:
        if len(self._rules) + len(self._queue) + count > MAX_SCRIPTED:
            raise ValueError(f"at most {MAX_SCRIPTED} replies can be scripted")


def _resolve(scripted: Scripted, request: ChatRequest) -> Reply:
    return scripted if isinstance(scripted, Reply) else scripted(request)
