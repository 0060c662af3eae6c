"""Tool calls as services stream them; their names are in model_call_names.py."""

from __future__ import annotations

from tests.agent.models.model_streams import (
    CALLED,
    DONE,
    PARIS,
    PARIS_TEXT,
    Stream,
    call,
    choice,
    d,
    event,
    piece,
)

OSLO = {"city": "Oslo"}
OSLO_TEXT = '{"city": "Oslo"}'

_EMPTY: dict[str, object] = {"as text": "{}", "as an object": {}}
TWO = (("look", PARIS), ("look", OSLO))
TOOL_CALLS = [
    Stream(
        "OpenAI",
        "pieces",
        call("", "look", index=0, id="1")
        + call('{"city"', index=0)
        + call(': "Paris"}', index=0)
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
        source="platform.openai.com/docs/guides/function-calling#streaming",
    ),
    Stream(
        "OpenAI",
        "two, one after the other",
        call("", "look", index=0, id="1")
        + call(PARIS_TEXT, index=0)
        + call("", "look", index=1, id="2")
        + call(OSLO_TEXT, index=1)
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "OpenAI",
        "opened first, arguments after",
        call("", "look", index=0, id="1")
        + call("", "look", index=1, id="2")
        + call(PARIS_TEXT, index=0)
        + call(OSLO_TEXT, index=1)
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "OpenAI",
        "interleaved",
        call("", "look", index=0, id="1")
        + call("", "look", index=1, id="2")
        + d({"tool_calls": [piece('{"city"', index=0), piece('{"city"', index=1)]})
        + call(': "Oslo"}', index=1)
        + call(': "Paris"}', index=0)
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "any",
        "no finish reason",
        call(PARIS_TEXT, "look", index=0, id="1") + DONE,
        "",
        None,
        (("look", PARIS),),
    ),
    Stream(
        "any",
        "no finish reason and no [DONE]",
        call(PARIS_TEXT, "look", index=0, id="1"),
        "",
        None,
        (("look", PARIS),),
    ),
    Stream(
        "any",
        "no finish reason, arguments cut",
        call('{"city": "Par', "look", index=0, id="1") + DONE,
        "",
        None,
    ),
    Stream(
        "any",
        "finish without delta",
        call(PARIS_TEXT, "look", index=0, id="1") + event(choice(None, "tool_calls")) + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
    ),
    Stream(
        "any",
        "cut by the limit",
        call('{"city": "Par', "look", index=0, id="1") + d({}, "length") + DONE,
        "",
        "length",
    ),
    Stream(
        "OpenAI",
        "withheld",
        call(PARIS_TEXT, "look", index=0, id="1") + d({}, "content_filter") + DONE,
        "",
        "content_filter",
    ),
    Stream(
        "llama.cpp",
        "arguments as an object",
        call(PARIS, "look", index=0, id="1") + CALLED + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
        source="ggml-org/llama.cpp#20198",
    ),
    Stream(
        "any",
        "two objects, one index",
        call(PARIS, "look", index=0, id="1") + call(OSLO, "look", index=0, id="2") + CALLED + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "any",
        "two objects in one event, no index, no id",
        d({"tool_calls": [piece(PARIS, "look"), piece(OSLO, "look")]}) + CALLED + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "TGI",
        "a single object for the list",
        d({"tool_calls": piece(PARIS_TEXT, "look", index=0, id="")}) + d({}, "stop") + DONE,
        finish="stop",
        calls=(("look", PARIS),),
        source="huggingface/text-generation-inference#2794",
    ),
    Stream(
        "Gemini",
        "index 0 for all",
        call(PARIS_TEXT, "look", index=0, id="a")
        + call(OSLO_TEXT, "look", index=0, id="b")
        + d({}, "stop")
        + DONE,
        finish="stop",
        calls=TWO,
        source="su-kaka/gcli2api#406, BerriAI/litellm#11999, NousResearch/hermes-agent#62937",
    ),
    Stream(
        "Gemini",
        "index 0 for all, in one event",
        d(
            {
                "tool_calls": [
                    piece(PARIS_TEXT, "look", index=0, id=""),
                    piece(OSLO_TEXT, "look", index=0, id=""),
                ]
            }
        )
        + d({}, "stop")
        + DONE,
        finish="stop",
        calls=TWO,
    ),
    Stream(
        "Gemini",
        "the same call twice, index 0, no arguments",
        call("", "ping", index=0, id="a") + call("", "ping", index=0, id="b") + CALLED + DONE,
        finish="tool_calls",
        calls=(("ping", {}), ("ping", {})),
    ),
    Stream(
        "LM Studio",
        "empty ids",
        call(PARIS_TEXT, "look", index=0, id="")
        + call(OSLO_TEXT, "look", index=1, id="")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
        source="lmstudio-ai/lmstudio-bug-tracker#830",
    ),
    Stream(
        "any",
        "one id for all",
        call(PARIS_TEXT, "look", index=0, id="call_0")
        + call(OSLO_TEXT, "look", index=1, id="call_0")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "any",
        "one id and one index for all",
        call(PARIS_TEXT, "look", index=0, id="call_0")
        + call(OSLO_TEXT, "look", index=0, id="call_0")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "LiteLLM",
        "a new id in each piece",
        call("", "look", index=0, id="1")
        + call('{"city"', index=0, id="2")
        + call(': "Paris"}', index=0, id="3")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
        source="BerriAI/litellm#40040",
    ),
    Stream(
        "any",
        "a new id and the name in each piece",
        call("", "look", index=0, id="1")
        + call('{"city"', "look", index=0, id="2")
        + call(': "Paris"}', "look", index=0, id="3")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
    ),
    Stream(
        "any",
        "the name in each piece",
        call('{"city"', "look", index=0, id="1")
        + call(': "Paris"}', "look", index=0, id="1")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
    ),
    Stream(
        "Bedrock",
        "the first index is 1",
        call("", "look", index=1, id="1") + call(PARIS_TEXT, index=1) + CALLED + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
        source="BerriAI/litellm#11407",
    ),
    Stream(
        "any",
        "no index",
        call("", "look", id="1")
        + call('{"city"')
        + call(': "Paris"}')
        + call(OSLO_TEXT, "look", id="2")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "any",
        "no index, pieces by id",
        call("", "look", id="1")
        + call("", "look", id="2")
        + call(PARIS_TEXT, id="1")
        + call(OSLO_TEXT, id="2")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    Stream(
        "any",
        "index as text",
        call("", "look", index="0", id="1") + call(PARIS_TEXT, index="0") + CALLED + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
    ),
    Stream(
        "any",
        "all of it again at the end",
        call(PARIS_TEXT, "look", index=0, id="1")
        + call(PARIS_TEXT, "look", index=0, id="1", finish="tool_calls")
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
    ),
    Stream(
        "any",
        "arguments null",
        call(None, "ping", index=0, id="1") + CALLED + DONE,
        finish="tool_calls",
        calls=(("ping", {}),),
        source="vllm-project/vllm#9693",
    ),
    Stream(
        "any",
        "pieces by id, one index for all",
        call("", "look", index=0, id="a")
        + call("", "look", index=0, id="b")
        + call(PARIS_TEXT, index=0, id="a")
        + call(OSLO_TEXT, index=0, id="b")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
    ),
    *(
        Stream(
            "Bedrock",
            f"an empty object before the arguments, {name}",
            call(first, "look", index=0, id="1")
            + call('{"city"', index=0)
            + call(': "Paris"}', index=0)
            + CALLED
            + DONE,
            finish="tool_calls",
            calls=(("look", PARIS),),
            source="openai/openai-agents-js#712",
        )
        for name, first in _EMPTY.items()
    ),
    *(
        Stream(
            "any",
            f"doubtful arguments: {given}",
            call(given, "look", index=0, id="1") + CALLED + DONE,
            finish="tool_calls",
            # A string is no object: no tool runs with it, and the model gets an error.
            calls=(("look", given),),
        )
        for given in (
            '{"city": "Par',
            '{"amount": 1',
            "{'city': {'name': 'Paris'}",
            PARIS_TEXT + OSLO_TEXT,
        )
    ),
    Stream(
        "any",
        "arguments of nobody",
        call(PARIS_TEXT, "look", index=0, id="1")
        + call(OSLO_TEXT, index=0, id="2")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
    ),
    Stream(
        "any",
        "the API of before",
        d({"function_call": {"name": "look", "arguments": '{"city"'}})
        + d({"function_call": {"arguments": ': "Paris"}'}})
        + d({}, "function_call")
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
    ),
]
