"""The worker's LLM and the plugin's with the official client, and what comes of a request."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import openai
from livekit.agents import (
    APIConnectOptions,
    APIError,
    APIStatusError,
    llm,
)
from livekit.plugins import openai as plugin

from agent.models.llm import ChatLLM, build_client, build_llm
from agent.models.timeouts import Timeouts

KEY = "sk-secret-of-the-test"
ONCE = APIConnectOptions(max_retry=0, timeout=5)
CLIENTS = ("lean", "official")


@dataclass
class Outcome:
    """All that came of one request: the plugin's chunks, and the error that ended it."""

    chunks: list[dict[str, object]]
    error: APIError | None

    @property
    def text(self) -> str:
        deltas: list[Any] = [chunk["delta"] for chunk in self.chunks if chunk["delta"]]
        return "".join(delta["content"] or "" for delta in deltas)

    @property
    def tool_calls(self) -> list[Any]:
        deltas: list[Any] = [chunk["delta"] for chunk in self.chunks if chunk["delta"]]
        return [call for delta in deltas for call in delta["tool_calls"]]

    @property
    def joined(self) -> list[dict[str, Any]]:
        """The chunks, with text that follows on text in one: how it is cut may differ."""
        joined: list[dict[str, Any]] = []
        for chunk in self.chunks:
            if joined and _is_text(joined[-1]) and _is_text(chunk):
                text: Any = chunk["delta"]
                joined[-1]["delta"]["content"] += text["content"]
            else:
                joined.append(deepcopy(chunk))
        return joined

    def described_error(self) -> tuple[object, ...] | None:
        """The properties by which errors differ."""
        match self.error:
            case None:
                return None
            case APIStatusError() as error:
                kind = (error.status_code, error.request_id, error.body)
                return (type(error), error.message, error.retryable, *kind)
            case error:
                return (type(error), error.message, error.retryable)


def _is_text(chunk: dict[str, Any]) -> bool:
    delta = chunk["delta"]
    return bool(delta and delta["content"] and not delta["tool_calls"] and not chunk["usage"])


@asynccontextmanager
async def opened(
    kind: str, base_url: str, *, name: str = "demo", timeouts: Timeouts | None = None
) -> AsyncGenerator[llm.LLM[Any]]:
    model: llm.LLM[Any]
    if kind == "official":
        official = openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0)
        model = plugin.LLM(model=name, client=official)
        async with official, model:
            yield model
    else:
        client = build_client(base_url=base_url, api_key=KEY, timeouts=timeouts)
        try:
            model = build_llm(client, model=name)
            async with model:
                yield model
        finally:
            await client.close()


async def outcome_of(
    model: llm.LLM[Any],
    text: str = "hello",
    *,
    tools: Sequence[llm.Tool] = (),
    options: APIConnectOptions = ONCE,
    framed: bool = False,
) -> Outcome:
    """`framed`: of the worker's, too, by the framework's stream."""
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="Be brief.")
    context.add_message(role="user", content=text)
    chunks: list[dict[str, object]] = []
    error: APIError | None = None
    async with asyncio.timeout(10):
        try:
            if isinstance(model, ChatLLM) and not framed:
                async for chunk in model.ask(context, list(tools), silence=options.timeout):
                    chunks.append(chunk.model_dump())  # kept if it fails halfway
            else:
                stream = model.chat(chat_ctx=context, tools=list(tools), conn_options=options)
                async with stream:
                    async for chunk in stream:
                        chunks.append(chunk.model_dump())
        except APIError as failure:
            error = failure
    return Outcome(chunks, error)
