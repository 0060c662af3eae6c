"""Names of tool calls: in pieces, late, empty, and at another place than in `function`."""

from __future__ import annotations

from tests.agent.models.model_call_streams import OSLO, OSLO_TEXT, TWO
from tests.agent.models.model_streams import CALLED, DONE, PARIS, PARIS_TEXT, Stream, call, d

CALL_NAMES = [
    Stream(
        "Gemini",
        "a name in pieces",
        call("", "lo", index=0, id="1")
        + call("", "ok", index=0)
        + call(PARIS_TEXT, index=0)
        + call("", "lo", index=1, id="2")
        + call(OSLO_TEXT, "ok", index=1, id="2")
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=TWO,
        source="continuedev/continue#5849",
    ),
    Stream(
        "any",
        "two names at one index, the first with arguments",
        call("{}", "ping", index=0, id="") + call("{}", "pong", index=0, id="") + CALLED + DONE,
        finish="tool_calls",
        calls=(("ping", {}), ("pong", {})),
    ),
    Stream(
        "any",
        "two names at one index, each with its id",
        call("", "ping", index=0, id="1") + call("", "pong", index=0, id="2") + CALLED + DONE,
        finish="tool_calls",
        calls=(("ping", {}), ("pong", {})),
    ),
    Stream(
        "vLLM",
        "a name after an empty one and its arguments",
        call('{"city"', "", index=0, id="1")
        + call(': "Paris"}', index=0)
        + call("", "look", index=0)
        + CALLED
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
        source="vercel/ai#14722, vercel/ai#16507",
    ),
    Stream(
        "any",
        "empty names after the name",
        call("", "look", index=0, id="1") + call(PARIS_TEXT, "", index=0) + CALLED + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
        source="OpenBMB/PilotDeck#107",
    ),
    *(
        Stream(
            "Cloudflare",
            f"name and arguments beside function, {name}",
            d({"tool_calls": [{"name": "look", **first}, {"name": "look", **second}]})
            + d({}, "stop")
            + DONE,
            finish="stop",
            calls=TWO,
            source="cloudflare/ai: packages/workers-ai-provider/src/utils.ts",
        )
        for name, first, second in (
            ("as objects", {"arguments": PARIS}, {"arguments": OSLO}),
            ("as text", {"arguments": PARIS_TEXT}, {"arguments": OSLO_TEXT}),
            (
                "with an odd index",
                {"arguments": PARIS, "index": "0"},
                {"arguments": OSLO, "index": "1", "function": None},
            ),
        )
    ),
    Stream(
        "any",
        "the API of before, the name in pieces",
        d({"function_call": {"name": "lo"}})
        + d({"function_call": {"name": "ok", "arguments": PARIS_TEXT}})
        + d({}, "function_call")
        + DONE,
        finish="tool_calls",
        calls=(("look", PARIS),),
    ),
]
