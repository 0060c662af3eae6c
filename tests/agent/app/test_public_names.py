"""The names that apps are written with; whatever is added here has to stay."""

from __future__ import annotations

import subprocess
import sys

import pytest

import agent


def test_these_and_no_others() -> None:
    public = (
        "Answer App Handoff Limits MessageKey Persona RejectedError Room StoredTurn ThreadKey Turn "
        "TurnStore"
    )
    assert agent.__all__ == public.split()
    for name in agent.__all__:
        assert getattr(agent, name).__name__ == name


def test_other_names_are_not_public() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Session'"):
        _ = agent.Session  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]


def test_an_app_costs_no_framework_until_it_runs() -> None:
    code = (
        "import sys, agent\n"
        "assert 'pydantic' not in sys.modules\n"
        "agent.App(instructions='Be brief.')\n"
        "assert not [name for name in sys.modules if name.startswith('livekit.agents')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - of the test's own
