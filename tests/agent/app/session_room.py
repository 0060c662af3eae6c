"""Helpers for tests of an app's agents: a plain agent, the model's requests, and the received
answers."""

from __future__ import annotations

import json
from typing import Any, cast

from livekit.agents import Agent

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import Answer, ChatClient

TOPIC = "llm-response"


class Archive(Agent):
    """Not one of the app's agents by name; it begins without a context."""

    def __init__(self) -> None:
        super().__init__(instructions="You know old things.")


def unasked(client: ChatClient) -> list[Answer]:
    """The unasked answers received on one topic."""
    return [each for each in client.transcripts if each.topic == TOPIC and each.trailer]


def read_by(model: DemoModel, request: int = -1) -> list[tuple[str, object]]:
    """Roles and contents of one request to the model."""
    messages = cast("list[dict[str, Any]]", model.requests[request].body["messages"])
    return [(each["role"], each.get("content")) for each in messages]


def offered(model: DemoModel, request: int = -1) -> list[str]:
    """The tools that the model was offered."""
    tools = cast("list[dict[str, Any]]", model.requests[request].body.get("tools", []))
    return [each["function"]["name"] for each in tools]


def calling(name: str, arguments: str = "{}") -> Reply:
    """An answer that calls a tool."""
    return Reply(tool_calls=[tool_call(name, arguments)])


async def history(client: ChatClient, thread: str = "room") -> list[dict[str, Any]]:
    """The stored messages of a thread."""
    answer = await client.ask_method("getHistory", json.dumps({"thread": thread}))
    return json.loads(answer)["messages"]


def active_agent(client: ChatClient) -> str:
    """The name of the agent that answers, as clients see it."""
    return json.loads(client.agent.attributes["agent.active"])["name"] if client.agent else ""
