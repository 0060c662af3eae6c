"""Answers of a ToolLoop, and of the AgentSession that it is held to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from livekit.agents import Agent, AgentSession, APIConnectOptions, llm
from livekit.agents.voice.agent_session import SessionConnectOptions

from agent.models.assistant import Assistant
from agent.models.llm import build_llm
from agent.models.offered_tools import OfferedTools
from agent.models.openai_client import OpenAIClient
from agent.models.retrying_llm import RetryingLLM
from agent.models.tool_loop import ToolLoop
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox

INSTRUCTIONS = "Be brief."

Answer = tuple[str, list[llm.ChatItem]]
"""The text that was handed on, and the text that the model remembers."""


class Said:
    """The output of a loop; a line for each step."""

    def __init__(self) -> None:
        self.text = ""

    def push(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        self.text += "\n"


async def without_files(context: llm.ChatContext) -> llm.ChatContext:
    return context


def offered(tools: Toolbox) -> OfferedTools:
    async def call(tool: Tool, arguments: Mapping[str, object]) -> str:
        return await tool.call(arguments, tools.context())

    offered = OfferedTools()
    offered.offer(tools, call)
    return offered


def loop_of(client: OpenAIClient, tools: Toolbox, said: Said | None = None) -> ToolLoop:
    model = RetryingLLM(build_llm(client, model="demo"), retries=0, show_files=without_files)
    return ToolLoop(Assistant(INSTRUCTIONS, model, offered(tools)), said or Said())


async def by_loop(client: OpenAIClient, tools: Toolbox, question: str) -> Answer:
    said = Said()
    loop = loop_of(client, tools, said)
    await loop.run([llm.ChatMessage(role="user", content=[question])])
    return said.text.strip(), loop.said


async def by_session(client: OpenAIClient, tools: Toolbox, question: str) -> Answer:
    session = AgentSession[None](
        llm=build_llm(client, model="demo"),
        vad=None,
        turn_handling={"turn_detection": None},
        conn_options=SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=0)),
    )
    agent = Agent(instructions=INSTRUCTIONS, tools=[offered(tools)])
    await session.start(agent, record=False)
    try:
        await session.generate_reply(user_input=question, input_modality="text")
        items = list(agent.chat_ctx.items)
    finally:
        await session.aclose()
    while (asked := items.pop(0)).type != "message" or asked.role != "user":
        pass
    texts = [item.text_content or "" for item in items if item.type == "message"]
    return "\n".join(texts).strip(), items


BOTH: dict[str, Callable[..., Coroutine[Any, Any, Answer]]] = {
    "loop": by_loop,
    "session": by_session,
}
