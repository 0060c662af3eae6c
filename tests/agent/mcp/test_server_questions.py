"""The answers that a server gets to its questions."""

from __future__ import annotations

from typing import Any

import mcp_types as types
import pytest

from agent.mcp.server_questions import ServerQuestions
from toolkit import ToolSettings, Unavailable
from toolkit.questions import Elicitation, Elicited
from toolkit.toolbox import Toolbox

FORM = types.ElicitRequestFormParams(
    message="Anything else?",
    requested_schema={"type": "object", "properties": {"text": {"type": "string"}}},
)
PAGE = types.ElicitRequestURLParams(
    message="Sign in", url="https://example.com/sign-in", elicitation_id="e-1"
)


async def answered(params: object, *answers: Elicited | None) -> tuple[list[Any], ServerQuestions]:
    """The answers that a server gets if it asks once for each; None: nobody answers."""
    left = list(answers)

    async def answer(_: Elicitation) -> Elicited:
        if (given := left.pop(0)) is None:
            raise Unavailable("Nobody is there")
        return given

    async with Toolbox([], ToolSettings()) as tools:
        context = tools.context().with_answers(answer)
        questions = ServerQuestions("shop", context, elicits=True, samples=False)
        ask = questions.callbacks()["elicitation_callback"]
        return [await ask(None, params) for _ in answers], questions


@pytest.mark.parametrize(
    ("params", "answer", "content"),
    [
        (FORM, Elicited("accept", {"text": "no"}), {"text": "no"}),
        (FORM, Elicited("accept"), {}),
        (FORM, Elicited("decline"), None),
        (PAGE, Elicited("accept"), None),
    ],
    ids=["filled in", "left empty", "declined", "a page"],
)
async def test_an_accepted_form_has_content(
    params: object, answer: Elicited, content: object
) -> None:
    (result,), _ = await answered(params, answer)
    assert (result.action, result.content) == (answer.action, content)


async def test_a_refusal_is_that_of_the_last_question() -> None:
    (refused,), questions = await answered(FORM, None)
    assert refused.message == "Nobody is there"
    assert isinstance(questions.refusal, Unavailable)
    _, questions = await answered(FORM, None, Elicited("accept"))
    assert questions.refusal is None
