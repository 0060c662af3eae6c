"""Refuses what nobody should ask, and covers card numbers in what the model says.

python -m agent dev --app examples/guardrails/guardrails.py
"""

import re
from collections.abc import AsyncIterable, AsyncIterator

from agent import App, Turn

CARD = re.compile(r"\b(?:\d[ -]?){13,16}\b")
TAIL = re.compile(r"[\d -]{0,40}\Z")
"""Characters to buffer: a card number may continue after them."""


async def check(turn: Turn) -> None:
    """Nobody's card number goes to the model."""
    if CARD.search(turn.text):
        turn.refuse("Please do not write card numbers here. I have not read it.")


async def cover(turn: Turn, text: AsyncIterable[str]) -> AsyncIterator[str]:
    """Covers card numbers, also where they come in pieces."""
    held = ""
    async for piece in text:
        held += piece
        tail = TAIL.search(held)
        whole = tail.start() if tail else len(held)
        yield CARD.sub("****", held[:whole])
        held = held[whole:]
    yield CARD.sub("****", held)


app = App(instructions="You help customers of a bank.", before_answer=check, on_text=cover)
