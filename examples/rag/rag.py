"""Answers from a handbook: what fits a question is looked up before the model is asked.

python -m agent dev --app examples/rag/rag.py
"""

import math
import re
from collections import Counter
from pathlib import Path

from agent import App, Turn
from toolkit import Source

HANDBOOK = Path(__file__).parent / "handbook"
URL = "https://example.com/handbook"
BEST = 2


def words(text: str) -> list[str]:
    """The words of a text, without endings: "returned" and "returns" are about the same."""
    return [word[:5] for word in re.findall(r"[a-z]{3,}", text.lower())]


class Index:
    """Paragraphs by their words; rare words weigh more."""

    def __init__(self, folder: Path) -> None:
        self._paragraphs = [
            (path.stem, paragraph.strip())
            for path in sorted(folder.glob("*.md"))
            for paragraph in path.read_text().split("\n\n")
        ]
        self._counts = [Counter(words(text)) for _, text in self._paragraphs]
        of_all = Counter(word for counts in self._counts for word in counts)
        self._weights = {w: math.log(1 + len(self._counts) / n) for w, n in of_all.items()}

    def search(self, question: str) -> list[tuple[str, str]]:
        """The paragraphs that fit best, with their chapters; those that do not fit are none."""
        asked = set(words(question))
        scores = [sum(self._weights[w] for w in asked & counts.keys()) for counts in self._counts]
        best = sorted(range(len(scores)), key=lambda i: -scores[i])[:BEST]
        return [self._paragraphs[i] for i in best if scores[i] > 0]


index = Index(HANDBOOK)


async def look_up(turn: Turn) -> None:
    """Gives the model what the handbook says, and people where it says so."""
    for chapter, text in index.search(turn.text):
        turn.add_context(text, Source(chapter.capitalize(), f"{URL}/{chapter}", quote=text[:200]))


app = App(
    instructions="You answer questions about a book shop from what you are given of its handbook. "
    "If that does not say it, say so.",
    before_answer=look_up,
)
