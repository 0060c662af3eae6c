"""The log as `dev` shows it."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping

import pytest

from agent.telemetry.dev_log import ANSWERED, DevFormatter, wants_colours


def line(
    message: str,
    level: int = logging.INFO,
    *,
    colours: bool = False,
    fields: Mapping[str, object] | None = None,
) -> str:
    record = logging.LogRecord("agent", level, __file__, 1, message, None, None)
    vars(record).update(fields or {})
    return DevFormatter(colours=colours).format(record).split("  ", 1)[1]


def test_an_answer_is_one_log_line_with_its_asker_and_cost() -> None:
    fields: dict[str, object] = {
        "room": "demo",
        "asker": "ada",
        "tools": ["getWeather", "getTime"],
        "first_token_s": 0.312,
        "seconds": 1.2,
        "tokens_in": 812,
        "tokens_out": 45,
        "finish_reason": "stop",
    }
    assert line(ANSWERED, fields=fields) == (
        "demo  answered ada  getWeather, getTime · first text 0.31 s · 1.20 s · 812 + 45 tokens"
    )


def test_an_answer_that_failed_says_so() -> None:
    fields: dict[str, object] = {
        "asker": "ada",
        "tools": [],
        "first_token_s": None,
        "seconds": 2.0,
        "tokens_in": 0,
        "tokens_out": 0,
        "finish_reason": "error",
    }
    assert line(ANSWERED, fields=fields) == "answered ada  no text · 2.00 s · error"


def test_levels_are_shown_for_warnings_and_errors() -> None:
    assert line("joined the room", fields={"room": "demo"}) == "demo  joined the room"
    assert line("it broke", logging.ERROR) == "ERROR     it broke"
    assert "\033[31mERROR" in line("it broke", logging.ERROR, colours=True)


@pytest.mark.parametrize(
    ("terminal", "environ", "wanted"),
    [
        (True, {"TERM": "xterm"}, True),
        (False, {"TERM": "xterm"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    terminal: bool, environ: dict[str, str], wanted: bool
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert wants_colours(Stream(), environ) is wanted
