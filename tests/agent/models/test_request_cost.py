"""The tokens of a request, as the service says them and estimated."""

from __future__ import annotations

from livekit.agents import llm

from agent.models.request_cost import RequestCost


def context() -> llm.ChatContext:
    context = llm.ChatContext.empty()
    context.add_message(role="user", content=["näher", llm.ImageContent(image="data:,"), "ab"])
    call = llm.FunctionCall(call_id="1", name="f", arguments='{"a":1}')
    output = llm.FunctionCallOutput(call_id="1", name="f", output="12345678", is_error=False)
    context.items += [call, output]
    return context


def chunk(text: str, usage: llm.CompletionUsage | None = None) -> llm.ChatChunk:
    return llm.ChatChunk(id="c", delta=llm.ChoiceDelta(role="assistant", content=text), usage=usage)


def test_a_service_is_believed() -> None:
    cost = RequestCost(context())
    cost.add(chunk("ja"))
    usage = llm.CompletionUsage(completion_tokens=3, prompt_tokens=40, total_tokens=43)
    cost.add(chunk("", usage))
    assert cost.tokens() == (40, 3)


def test_tokens_are_estimated_from_all_texts_where_a_service_says_nothing() -> None:
    cost = RequestCost(context())
    cost.add(chunk("größer"))
    # 6 and 2 bytes of the message, 7 and 8 of the call; 8 of the answer.
    assert cost.tokens() == (6, 2)
    assert RequestCost(llm.ChatContext.empty()).tokens() == (0, 0)
