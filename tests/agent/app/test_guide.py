"""Every example of docs/extending.md works."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from agent import App

GUIDE = (Path(__file__).parents[3] / "docs" / "extending.md").read_text()
EXAMPLES = cast("list[str]", re.findall(r"^```python\n(.*?)^```$", GUIDE, re.M | re.S))


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example_can_be_made(number: int) -> None:
    names: dict[str, Any] = {"__name__": f"example_{number}"}
    code = compile(EXAMPLES[number], f"example {number}", "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102 - the guide's
    tests = [each for name, each in names.items() if name.startswith("test_")]
    assert tests or isinstance(names["app"], App)
    for test in cast("list[Callable[[], Awaitable[None]]]", tests):
        assert inspect.iscoroutinefunction(test)
        await test()


def test_there_are_examples_of_each_kind() -> None:
    shown = "".join(EXAMPLES)
    for name in ("Handoff", "Limits", "before_answer", "on_text", "settings=", "llm=", "history="):
        assert name in shown
