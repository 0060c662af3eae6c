"""Each of the apps in examples/, as a person talks to it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from agent.app.loading import load_app
from devserver.model import DemoModel, Reply
from tests.agent.app.import_state import restored_imports
from tests.agent.conftest import Enter, StartWorker

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(autouse=True)
def imports() -> Generator[None]:
    with restored_imports(EXAMPLES):
        yield


def reference(name: str) -> str:
    return str(EXAMPLES / name / f"{name}.py")


def test_it_is_short_and_has_a_readme() -> None:
    path = EXAMPLES / "guardrails" / "guardrails.py"
    assert len(path.read_text().splitlines()) < 80
    assert (path.parent / "README.md").read_text().startswith("# ")


async def test_guardrails(start_worker: StartWorker, enter: Enter, model: DemoModel) -> None:
    worker = await start_worker(app=load_app(reference("guardrails")))
    alice = await enter("alice", worker=worker)
    refused = await alice.ask("My card is 4111 1111 1111 1111")
    assert refused.text.startswith("Please do not write card numbers here.")
    assert len(model.requests) == 0
    model.script(Reply(tokens=["Yours is 4111 ", "1111 11", "11 1111", ", of 2 cards."]))
    assert (await alice.ask("Which card?")).text == "Yours is ****, of 2 cards."
