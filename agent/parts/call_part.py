"""CallPart: one call of the model's, as those who see the answer are shown it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agent.contract.parts import ToolCallPart
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
        self._shows_result = show == "all"
        self._is_left = False
        self._part: ToolCallPart = {
            "id": call_id,
            "type": "tool-call",
            "name": name,
            "state": "running",
        }
        if show != "name":
            self._part["arguments"] = dict(arguments)

    def running(self) -> None:
        """Shows that the call is running."""
        self._put(self._in_state("running"))

    def waiting(self) -> None:
        """Shows that the call waits for approval."""
        self._put(self._in_state("waiting"))

    def done(self, result: str) -> None:
        """Shows that the call has ended; `result` is what an RPC caller would get."""
        part = self._in_state("done")
        if self._shows_result:
            part["result"] = result
        self._put(part)

    def failed(self, error: ToolError | None = None) -> None:
        """Shows that the call has failed, or was cancelled."""
        part = self._in_state("failed")
        if error is not None:
            part["code"] = error.code
            part["error"] = error.message
        self._put(part)

    def leave(self, told: str) -> None:
        """The call goes on after the answer; its part shows the text for the model, as done."""
        self.done(told)
        self._is_left = True

    def _in_state(self, state: CallState) -> ToolCallPart:
        return {**self._part, "state": state}

    def _put(self, part: ToolCallPart) -> None:
        if self._is_left or self._parts.put(part["id"], part):
            return
        short: ToolCallPart = {
            "id": part["id"],
            "type": "tool-call",
            "name": part["name"],
            "state": part["state"],
            "truncated": True,
        }
        self._parts.put(part["id"], short)
