"""The test that docs/testing.md shows passes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.testing import HistoryContract
from examples.own_history import own_history

GUIDE = (Path(__file__).parents[3] / "docs" / "testing.md").read_text()


async def test_the_guide_s_test_passes() -> None:
    shown, _ = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.M | re.S)
    *_, run = shown.splitlines()
    assert run == "asyncio.run(test_it_finds_orders())"
    names: dict[str, Any] = {"__name__": "shown"}
    code = compile(shown.removesuffix(f"{run}\n"), "the guide", "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102 - the guide's
    await names["test_it_finds_orders"]()


def test_the_guide_s_contract_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_app", own_history)
    _, shown = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.M | re.S)
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(shown, "the guide", "exec", dont_inherit=True), names)  # noqa: S102 - as above
    assert issubclass(names["TestTurns"], HistoryContract)
