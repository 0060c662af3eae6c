"""Questions of tools to people, before they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest

from agent.tool_calls.approvals import Approvals, RpcAsker
from agent.tool_calls.call_questions import CallQuestions
from agent.tool_calls.elicitation import reader
from toolkit import tool
from toolkit.caller import Caller
from toolkit.errors import InvalidArguments
from toolkit.questions import Elicitation, Sampled, Sampling
from toolkit.tool import Tool


@pytest.mark.parametrize(
    "url",
    [
        "https://bank.example@evil.example/",
        "https://evil.example\\@bank.example/",
        "https://evil.example\\.bank.example/",
        "https://bank.example\n.evil.example/",
        "https://bank.example/ and more",
        "https://bank.example/\u202e",
        "https://[bank",
        "https:///path",
        "https://:443/",
        "javascript:alert(1)",
        "bank.example",
    ],
)
def test_a_page_is_what_it_looks_like(url: str) -> None:
    with pytest.raises(InvalidArguments, match="A page that somebody is to open"):
        reader(Elicitation("Sign in", url=url))


def test_a_plain_page_is_shown() -> None:
    for url in ("https://bank.example/sign-in?state=a%20b#top", "http://[::1]:8080/"):
        assert reader(Elicitation("Sign in", url=url))('{"action": "accept"}').outcome == "approved"


async def test_sampling_never_has_the_name_of_the_tool() -> None:
    @tool
    async def translate() -> str:
        """Translate."""
        return ""

    asked: list[str] = []

    class Agreeing:
        async def ask(self, _: object, __: str, tool: Tool, ___: Mapping[str, object]) -> None:
            asked.append(tool.name)

    async def ask_model(*_: object) -> Sampled:
        return Sampled("die Katze", "m")

    asker = RpcAsker(Caller("alice"), private=False)
    for name in ("translate", "t" * 64):
        named = replace(translate, name=name)
        questions = CallQuestions(cast("Approvals", Agreeing()), ask_model, named, asker, "TC_1")
        await questions.sample(Sampling((("user", "the cat"),), "", 100, "The MCP server t"))
    assert asked == ["translate_sampling", "t" * 55 + "_sampling"]
