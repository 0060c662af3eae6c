"""A context becomes the same messages as livekit-agents makes of it."""

from __future__ import annotations

import pytest
from livekit.agents import llm

from agent.models.context_messages import context_messages


def said(
    role: llm.ChatRole, *content: llm.ChatContent, item_id: str = "", **more: object
) -> llm.ChatItem:
    given = {"id": item_id} if item_id else {}
    return llm.ChatMessage(role=role, content=list(content), **given, **more)  # pyright: ignore[reportArgumentType]


def step(name: str, *calls: str, text: str = "") -> list[llm.ChatItem]:
    """The text and the calls of one step, with their results."""
    ids = [f"{name}_{call}" for call in calls]
    return [
        *([said("assistant", text, item_id=name)] if text else []),
        *(
            llm.FunctionCall(id=f"{name}/fnc_{n}", call_id=id, name=call, arguments="{}")
            for n, (id, call) in enumerate(zip(ids, calls, strict=True))  # noqa: A001
        ),
        *(
            llm.FunctionCallOutput(call_id=id, name=call, output="ok", is_error=False)
            for id, call in zip(ids, calls, strict=True)  # noqa: A001
        ),
    ]


SYSTEM = said("system", "Be brief.")
ASKED = [said("user", f"Question {n}?") for n in range(3)]
ANSWERED = [said("assistant", f"Answer {n}.") for n in range(3)]
IMAGE = llm.ImageContent(image="https://example.invalid/a.png")

CONTEXTS: dict[str, list[llm.ChatItem]] = {
    "nothing": [],
    "texts": [SYSTEM, ASKED[0], ANSWERED[0], ASKED[1]],
    "a step with text and calls": [
        SYSTEM,
        ASKED[0],
        *step("a", "look", "search", text="Let me see."),
        ANSWERED[0],
        ASKED[1],
    ],
    "calls alone": [ASKED[0], *step("a", "look"), ANSWERED[0]],
    "steps here and there": [
        ASKED[0],
        *step("a", "look", text="So."),
        ANSWERED[0],
        ASKED[1],
        ANSWERED[1],
        ASKED[2],
        *step("b", "look", "look2"),
        *step("c", "search", text="Hm."),
        ANSWERED[2],
    ],
    "a result that comes later": [
        *step("a", "look", text="So.")[:2],
        ASKED[0],
        ANSWERED[0],
        *step("a", "look", text="So.")[2:],
        ASKED[1],
    ],
    "pictures": [ASKED[0], ANSWERED[0], said("user", "What is this?", IMAGE), ANSWERED[1]],
    "several texts in one": [said("user", "one", "two"), ANSWERED[0]],
    "what services add": [
        ASKED[0],
        said("assistant", "Hm.", extra={"google": {"thought_signature": "x"}, "other": 1}),
    ],
}


@pytest.mark.parametrize("items", CONTEXTS.values(), ids=CONTEXTS)
def test_the_messages_are_the_same(items: list[llm.ChatItem]) -> None:
    context = llm.ChatContext(items)
    assert context_messages(context) == context.to_provider_format("openai")[0]
