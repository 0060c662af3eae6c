"""Questions to the demo model through the official client, and its answers."""

from typing import Any

import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam


def user(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


async def chunks_of(
    client: openai.AsyncOpenAI,
    messages: list[ChatCompletionMessageParam],
    **options: Any,  # noqa: ANN401 # whatever create() takes
) -> list[ChatCompletionChunk]:
    stream = await client.chat.completions.create(
        model="demo-model",
        messages=messages,
        stream=True,
        stream_options={"include_usage": True},
        **options,
    )
    return [chunk async for chunk in stream]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


async def ask(
    client: openai.AsyncOpenAI,
    text: str,
    **options: Any,  # noqa: ANN401 # whatever create() takes
) -> str:
    return text_of(await chunks_of(client, user(text), **options))


def after_tool(question: str, name: str, output: str) -> list[ChatCompletionMessageParam]:
    """A conversation in which a tool was called for the question, and answered."""
    return [
        {"role": "user", "content": question},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": output},
    ]
