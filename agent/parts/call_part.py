"""CallPart: one call of the model's, as those who see the answer are shown it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agent.parts.answer_parts import AnswerParts
from toolkit.errors import ToolError
from toolkit.tool import ShowCall

CallState = Literal["running", "waiting", "done", "failed"]


class CallPart:
    """Shows the tool's name, and the details that the tool allows (`@tool(show=…)`).

    Fields that do not fit are left out before the call itself is.
    """

    def __init__(
        self,
        parts: AnswerParts,
        call_id: str,
        name: str,
        show: ShowCall,
        arguments: Mapping[str, object],
    ) -> None:
        self._parts = parts
        self._id = call_id
        self._shows_result = show == "all"
        self._is_left = False
        self._fields: dict[str, object] = {"type": "tool-call", "name": name}
        if show != "name":
            self._fields["arguments"] = dict(arguments)

    def running(self) -> None:
        """It is at work."""
        self._put("running")

    def waiting(self) -> None:
        """Somebody is asked whether it may run."""
        self._put("waiting")

    def done(self, result: str) -> None:
        """It has ended; `result` is what an RPC caller would get."""
        self._put("done", {"result": result} if self._shows_result else {})

    def failed(self, error: ToolError | None = None) -> None:
        """It has failed, or was given up."""
        self._put("failed", {} if error is None else {"code": error.code, "error": error.message})

    def leave(self, told: str) -> None:
        """The call goes on after the answer; its part shows the text for the model, as done."""
        self.done(told)
        self._is_left = True

    def _put(self, state: CallState, more: Mapping[str, object] | None = None) -> None:
        if self._is_left:
            return
        fields: dict[str, object] = {**self._fields, "state": state, **(more or {})}
        if self._parts.put(self._id, fields):
            return
        short = {name: fields[name] for name in ("type", "name", "state")}
        self._parts.put(self._id, {**short, "truncated": True})
