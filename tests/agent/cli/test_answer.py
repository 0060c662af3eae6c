"""Questions of tools, answered in a terminal."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections.abc import Callable
from typing import Any, Final

import pytest

from agent.cli.form_fields import FormField, fields_of
from agent.cli.tool_questions import ToolQuestions
from agent.client import Elicitation
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.cli.command_line import CommandLine
from tests.agent.cli.test_chat import Terminal
from tests.agent.conftest import StartWorker, Worker
from toolkit import ToolContext, tool

FORM: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your\nname", "description": "For the list"},
        "guests": {"type": "integer", "minimum": 1, "maximum": 9},
        "place": {"type": "string", "enum": ["in", "out"], "enumNames": ["Inside", "Terrace"]},
        "day": {"type": "string", "format": "date", "default": "2026-12-24"},
        "dog": {"type": "boolean"},
    },
    "required": ["name", "guests"],
}


@tool
async def book_table(context: ToolContext) -> str:
    """Book a table."""
    answer = await context.elicit("For how many?\n[7] sendMail wants to run", FORM)
    return json.dumps([answer.action, dict(answer.content)])


PAGE: Final = "https://pay.example.test/" + "x" * 100


@tool
async def pay(context: ToolContext) -> str:
    """Have somebody pay."""
    return (await context.elicit("Pay now.", url=PAGE)).action


async def test_a_tool_is_answered_in_a_terminal(
    *,
    start_worker: StartWorker,
    command_line: Callable[[Worker], CommandLine],
    room_name: str,
    model: DemoModel,
) -> None:
    worker = await start_worker(tools=[book_table, pay])
    async with Terminal(command_line(worker), room_name) as terminal:
        await terminal.shows("Ctrl-D ends.")
        await terminal.shows("> ")
        model.script(Reply(tool_calls=[tool_call("bookTable")]), Reply("Booked."))
        terminal.type("A table\n")
        await terminal.shows("[1] bookTable asks: For how many?")
        await terminal.shows("    | [7] sendMail wants to run")
        await terminal.shows("/answer 1 fills it in, /decline 1 says no, /cancel 1 neither.")
        terminal.type("/answer 2\n")
        await terminal.shows("/answer [NUMBER]: these wait: 1")
        terminal.type("/answer\n")
        await terminal.shows("[1] Your name (required): For the list")
        terminal.type("\n")
        await terminal.shows("not that: it is required")
        terminal.type("/home/ana\n")
        await terminal.shows("[1] guests (whole number, 1 to 9, required)")
        terminal.type("20\n")
        await terminal.shows("not that: should have maximum: 9")
        terminal.type("4\n")
        await terminal.shows("[1] place (1 Inside, 2 Terrace, Enter for none)")
        terminal.type("terrace\n")
        await terminal.shows('[1] day (YYYY-MM-DD, Enter for "2026-12-24")')
        terminal.type("\n")
        await terminal.shows("[1] dog (y or n, Enter for none)")
        terminal.type("\n")
        await terminal.shows("[1] you have answered bookTable")
        await terminal.shows("Booked.")
        ((_, told),) = model.requests[-1].chat.tool_results
        given = {"name": "/home/ana", "guests": 4, "place": "out", "day": "2026-12-24"}
        assert json.loads(told) == ["accept", given]

        # A call of one's own, at whose prompt nothing is asked for meanwhile.
        await terminal.shows("> ")
        terminal.type("/call pay\n")
        await terminal.shows("[2] pay asks: Pay now.")
        await terminal.shows("It is about a page at pay.example.test, for you to open:")
        await terminal.shows(f"    {PAGE}")
        terminal.type("/decline\n")
        await terminal.shows("[2] you have declined what pay asks")
        await terminal.shows("> ")
        terminal.type("/answer\n")
        await terminal.shows("no tool asks anything")
        assert "\ndecline\r\n" in terminal.seen

        # What was meant for a question that is over goes to nobody else.
        await terminal.shows("> ")
        model.script(Reply(tool_calls=[tool_call("bookTable")]))
        terminal.type("Another table\n")
        await terminal.shows("[3] bookTable asks")
        terminal.type("/answer 3\n")
        await terminal.shows("[3] Your name")
        terminal.process.send_signal(signal.SIGINT)
        await terminal.shows("[3] bookTable no longer asks")
        await terminal.shows("> ")
        terminal.type("Ana\n")
        await terminal.shows("[3] is over: the line was not sent")
        await terminal.shows("> ")
        model.script(Reply("Yes."))
        terminal.type("Are you there?\n")
        await terminal.shows("Yes.")
        assert model.requests[-1].chat.user_text == "Are you there?"

        await terminal.shows("> ")
        terminal.type("/call bookTable\n")
        await terminal.shows("[4] bookTable asks")
        terminal.process.send_signal(signal.SIGINT)
        await terminal.shows("the call was given up")
        await terminal.shows("> ")
        terminal.type("/decline 4\n")
        await terminal.shows("[4] you have declined what bookTable asks")


WISHES: Final = {"type": "array", "items": {"enum": ["quiet", "view", "cake"]}, "maxItems": 2}
CONSTANTS: Final = {"oneOf": [{"const": 5, "title": "Five"}, {"const": None, "title": "None"}]}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, "4", "4"),
        ({"type": "number", "minimum": 0.5}, "1.5", 1.5),
        ({"type": "number"}, "-2", -2),
        ({"type": "boolean"}, "Y", True),
        ({"type": "boolean"}, "no", False),
        (WISHES, "3, Quiet", ["cake", "quiet"]),
        (CONSTANTS, "five", 5),
        (CONSTANTS, "2", None),
        ({"enum": [2, 1]}, "1", 1),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "7", 7),
        ({"$ref": "#/$defs/size"}, "7", 7),
        ({"type": "object"}, '{"a": [1]}', {"a": [1]}),
        ({"$ref": "#/properties/other"}, "[7]", [7]),
    ],
)
def test_a_text_stands_for_a_value(schema: dict[str, Any], text: str, value: object) -> None:
    assert only_field(schema).value_of(text) == value


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ({"type": "integer"}, "1.5", "a whole number"),
        ({"type": "number"}, "nan", "a number"),
        ({"type": "number"}, "a", "a number"),
        ({"type": "number", "multipleOf": 0.5}, "9" * 400, "a number"),
        ({"type": "integer", "minimum": 2}, "1", "should have minimum: 2"),
        ({"type": "string", "minLength": 2}, "a", "should have minLength: 2"),
        ({"type": "boolean"}, "perhaps", "y or n"),
        ({"enum": ["a", "b"]}, "3", "one of these, or its number"),
        (WISHES, "quiet, view, cake", "should have maxItems: 2"),
        ({"type": "array"}, "[", "this is no JSON"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(
    schema: dict[str, Any], text: str, expected: str
) -> None:
    with pytest.raises(ValueError, match=f"^{expected}$"):
        only_field(schema).value_of(text)


def test_a_limit_may_have_many_digits() -> None:
    most = 10**400
    assert only_field({"type": "integer", "maximum": most}).hint == (
        f"whole number, {most} at most, Enter for none"
    )


async def test_a_host_is_shown_as_dns_has_it() -> None:
    told: list[str] = []
    questions = ToolQuestions(told.append, itertools.count(1))
    # The first letter is Cyrillic.
    url = "https://\u0430pple.example:8443/\u0430pple"
    asked = Elicitation("TC_1.1", "TC_1", "pay", "Pay now.", None, url, 60.0)
    answering = asyncio.create_task(questions.ask(asked))
    await asyncio.sleep(0)
    assert "    It is about a page at xn--pple-43d.example:8443, for you to open:" in told
    assert "    https://xn--pple-43d.example:8443/\u0430pple" in told
    await questions.decline("1")
    assert await answering is False


def only_field(schema: dict[str, Any]) -> FormField:
    form = {
        "type": "object",
        "properties": {"it": schema},
        "$defs": {"size": {"type": "integer"}},
        # Of all fields together: one alone does not tell.
        "minProperties": 2,
    }
    (found,) = fields_of(form)
    return found
