"""No example in the documents goes without a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.agent.clients import document

TESTS = [path.read_text() for path in sorted(Path(__file__).parent.glob("test_*.py"))]
DOCUMENTS = [
    path.name
    for path in sorted(document.DOCS.glob("*.md"))
    if document.examples(path.name, "js") or document.examples(path.name, "mjs")
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_example_in_javascript_is_run(name: str) -> None:
    """The Python part of an example that runs beside it."""
    tests = "\n".join(test for test in TESTS if f'DOCUMENT = "{name}"' in test)
    headings = {**document.examples(name, "js"), **document.examples(name, "mjs")}
    assert {each for each in headings if not re.search(f'"{re.escape(each)}"', tests)} == set()
