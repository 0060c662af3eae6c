"""Exchange: the outcome of one message, for assertions in tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from livekit.agents import llm
from livekit.agents.voice.run_result import (
    AgentHandoffEvent,
    ChatMessageEvent,
    FunctionCallEvent,
    FunctionCallOutputEvent,
    RunAssert,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the model's.

    Attributes:
        arguments: none, where the model wrote no JSON object.
        result: the text that the model got; None: the call has not ended.
    """

    name: str
    arguments: Mapping[str, Any]
    result: str | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer that has ended, as its asker got it, and how it was made.

    Attributes:
        finish_reason: as on the wire.
        parts: the parts shown beside the text, in order (docs/wire-contract.md, Parts).
        items: the model's messages and calls, as livekit-agents' items.
        seconds: from the question to the end of the answer.
    """

    text: str
    finish_reason: str
    parts: tuple[Mapping[str, Any], ...]
    items: tuple[llm.ChatItem, ...]
    seconds: float

    @property
    def calls(self) -> tuple[Call, ...]:
        """The model's tool calls, in order."""
        results = {
            item.call_id: item for item in self.items if isinstance(item, llm.FunctionCallOutput)
        }
        calls = (item for item in self.items if isinstance(item, llm.FunctionCall))
        return tuple(_call(call, results.get(call.call_id)) for call in calls)

    @property
    def handoffs(self) -> tuple[tuple[str, str], ...]:
        """Hand-overs in the answer: the names of both agents."""
        return tuple((part["from"], part["to"]) for part in self.shown("handoff"))

    def shown(self, kind: str) -> tuple[Mapping[str, Any], ...]:
        """The parts of a type: `source`, `data`, `file`, …"""
        return tuple(part for part in self.parts if part["type"] == kind)

    @property
    def expect(self) -> RunAssert:
        """livekit-agents' assertions: `expect.next_event().is_function_call(name=…)` and so on,
        with its judges. Hand-overs stand behind the calls."""
        return RunAssert(cast("Any", SimpleNamespace(events=self._events())))

    def _events(self) -> Sequence[object]:
        calls: list[object] = []
        said: list[object] = []
        for item in self.items:
            if isinstance(item, llm.FunctionCall):
                calls.append(FunctionCallEvent(item=item))
            elif isinstance(item, llm.FunctionCallOutput):
                calls.append(FunctionCallOutputEvent(item=item))
            elif isinstance(item, llm.ChatMessage):
                event = ChatMessageEvent(item=item)
                # Text before a call stays before it.
                (said if calls else calls).append(event)
        handoffs = [
            AgentHandoffEvent(
                item=llm.AgentHandoff(old_agent_id=former, new_agent_id=agent),
                old_agent=None,
                new_agent=cast("Any", None),
            )
            for former, agent in self.handoffs
        ]
        return [*calls, *handoffs, *said]


def joined(exchanges: Sequence[Exchange]) -> Exchange:
    """Several as one: it ended as the last one did, and took as long as the longest."""
    return Exchange(
        "\n".join(each.text for each in exchanges),
        exchanges[-1].finish_reason,
        tuple(part for each in exchanges for part in each.parts),
        tuple(item for each in exchanges for item in each.items),
        max(each.seconds for each in exchanges),
    )


def _call(call: llm.FunctionCall, output: llm.FunctionCallOutput | None) -> Call:
    arguments = _arguments(call.arguments)
    if output is None:
        return Call(call.name, arguments, None, failed=False)
    return Call(call.name, arguments, output.output, failed=output.is_error)


def _arguments(text: str) -> dict[str, Any]:
    """The arguments that the model wrote; empty where they are no JSON object."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
