"""A bounded record of requests to the demo model, for tests to inspect and await."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

from devserver.model.wire import ChatRequest

MAX_REQUESTS = 1_000
MAX_BYTES = 32 * 2**20

Outcome: TypeAlias = Literal["open", "finished", "failed", "disconnected"]


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """One request for a completion, and its progress."""

    number: int
    """Counts from 1, over the life of the model."""
    headers: Mapping[str, str]
    raw: bytes
    chat: ChatRequest
    outcome: Outcome = "open"
    """`failed`: the script had it fail; `disconnected`: the client left before the end."""
    events_sent: int = 0
    """Content events: tokens, and pieces of tool calls."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def body(self) -> dict[str, object]:
        """The request as it came, with the fields that the model does not read."""
        return msgspec.json.decode(self.raw, type=dict[str, object])

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.ended.set()


class RequestRecord:
    """The latest requests, oldest first: at most 1,000 of them, and 32 MiB of bodies."""

    def __init__(self) -> None:
        self._requests: deque[RecordedRequest] = deque()
        self._bytes = 0
        self._total = 0
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(self._requests)

    def __getitem__(self, index: int) -> RecordedRequest:
        return self._requests[index]

    @property
    def total(self) -> int:
        """Number of requests ever made, those included that are no longer kept."""
        return self._total

    def add(self, headers: Mapping[str, str], raw: bytes, chat: ChatRequest) -> RecordedRequest:
        self._total += 1
        request = RecordedRequest(number=self._total, headers=headers, raw=raw, chat=chat)
        self._requests.append(request)
        self._bytes += len(raw)
        while len(self._requests) > MAX_REQUESTS or self._bytes > MAX_BYTES:
            self._bytes -= len(self._requests.popleft().raw)
        self._arrived.set()
        return request

    async def reach(self, total: int) -> RecordedRequest:
        """Wait until that many requests have been made, and return the latest of them."""
        while self._total < total:
            self._arrived.clear()
            await self._arrived.wait()
        return self._requests[-1]
