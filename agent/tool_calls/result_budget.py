"""ResultBudget: the limit of tool results that the model gets in one answer."""

from __future__ import annotations

LEFT_OUT = "[The rest of this result is left out: it is too long for the model.]"


class ResultBudget:
    """Bounds the results of all tool calls of one answer together.

    Args:
        size: bytes of UTF-8.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def fit(self, result: str) -> str:
        """The result, cut to the rest of the budget; where it is cut, a note says so."""
        data = result.encode(errors="replace")
        fitting, self._left = data[: self._left], max(self._left - len(data), 0)
        if len(fitting) == len(data):
            return result
        return f"{fitting.decode(errors='ignore')}\n{LEFT_OUT}".lstrip("\n")
