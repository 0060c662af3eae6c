"""Reports: a tool of tests that goes on in the background, and what the model reads of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from agent import App
from devserver.model import DemoModel, Reply, tool_call
from devserver.model.script import ToolCall
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import StartWorker, Worker
from toolkit import Data, File, NotFound, Tool, ToolContext, tool
from toolkit.permission import Permission
from toolkit.tool import DuplicateScope, OnDuplicate, ShowCall


class Report:
    """A tool that takes as long as a test wants, with what became of its calls."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.keys: list[str] = []
        self.cancelled: list[str] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self._ends: dict[str, asyncio.Event] = {}

    def tool(
        self,
        *,
        on_duplicate: OnDuplicate = "allow",
        cancellable: bool = False,
        duplicate_scope: DuplicateScope = "name",
        show: ShowCall = "name",
        allow: Permission | None = None,
        survives: bool = False,
    ) -> Tool:
        @tool(
            timeout=60,
            on_duplicate=on_duplicate,
            duplicate_scope=duplicate_scope,
            cancellable=cancellable,
            show=show,
            allow=allow,
            survives=survives,
        )
        async def make_report(context: ToolContext, topic: str = "sales") -> Data | File:
            """Make a report."""
            self.loop = asyncio.get_running_loop()
            self.begun.append(topic)
            self.keys.append(context.idempotency_key)
            end = self._ends[topic] = asyncio.Event()
            context.background("takes minutes")
            context.progress(0.5, "half of it")
            try:
                await end.wait()
            except asyncio.CancelledError:
                self.cancelled.append(topic)
                raise
            if topic == "nothing":
                raise NotFound("There is nothing to report")
            if topic == "a file":
                return File("report.txt", b"17", "text/plain")
            return Data("card", f"17 of {topic}")

        return make_report

    def end(self, topic: str = "sales") -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self._ends[topic].set)


async def start(start_worker: StartWorker, made: Tool) -> Worker:
    return await start_worker(app=App(tools=[made]))


def call(topic: str = "sales", **more: object) -> Reply:
    return Reply(tool_calls=[calling(topic, **more)])


def calling(topic: str, **more: object) -> ToolCall:
    return tool_call("makeReport", json.dumps({"topic": topic, **more}))


def results(model: DemoModel) -> list[str]:
    """The results of calls that the model has read last."""
    messages = cast("list[Any]", model.requests[-1].body["messages"])
    return [each["content"] for each in messages if each["role"] == "tool"]


def read(model: DemoModel) -> list[str]:
    messages = cast("list[Any]", model.requests[-1].body["messages"])
    return [str(each.get("content")) for each in messages]


async def begun(alice: ChatClient, model: DemoModel) -> str:
    """Makes the model begin a report, and answer; returns the id of the call."""
    model.script(call(), Reply("It is under way."))
    answer = await alice.ask("A report, please")
    assert answer.text == "It is under way."
    return (await alice.notice("tool.started"))["callId"]
