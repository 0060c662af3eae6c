"""CallPieces: tool calls, put together from the pieces in which services send them."""

from __future__ import annotations

import logging
import secrets
import string
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from livekit.agents import llm

from agent.models.call_arguments import kept_from_repair
from agent.models.chunks import FunctionDelta, ToolCallDelta
from agent.models.finish_reason import CONTENT_FILTER, LENGTH
from agent.models.visible_text import whole_characters

logger = logging.getLogger(__name__)

_ID_CHARACTERS: Final = string.ascii_letters + string.digits
_EMPTY: Final = "{}"
_ID_LENGTH: Final = 9
"""Length of an id that is made here. Mistral accepts only nine letters and digits
(vllm-project/vllm#9019); all other services accept these, too."""


@dataclass(slots=True, eq=False)
class _Call:
    index: int | None
    id: str
    name: str
    extra: dict[str, Any] | None = None
    pieces: list[str] = field(default_factory=list[str])
    whole: dict[str, Any] | None = None
    """The arguments as the object that the service sent."""

    @property
    def arguments(self) -> str:
        if self.whole or (self.whole is not None and not self.pieces):
            return msgspec.json.encode(self.whole).decode()
        text = "".join(self.pieces)
        # Some gateways open a call with an empty object, and the arguments follow it.
        rest = text.lstrip().removeprefix(_EMPTY).lstrip()
        return rest if rest.startswith("{") else text

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are a complete object."""
        return _is_object(self.arguments)


class CallPieces:
    """Sorts pieces by the call that they belong to.

    A piece belongs to the call of its index. If the index is missing or the same for all calls
    (Gemini, some gateways), a piece with a name begins another call if its name or id differs, or
    if the arguments so far are complete. Before there are arguments, another name at the same index
    and without an id of its own is the rest of a name that was cut. An id alone says little: OCI
    makes a new one for each piece (BerriAI/litellm#40040), others have one for all calls, or none.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    @property
    def has_whole(self) -> bool:
        """Whether there are calls, all of them complete."""
        return bool(self._calls) and all(call.name and call.is_whole for call in self._calls)

    def add(self, deltas: Sequence[ToolCallDelta]) -> None:
        """Takes the pieces of one event."""
        touched: set[_Call] = set()
        for delta in deltas:
            call = self._of(delta, delta.called, touched)
            _take(call, delta)
            touched.add(call)

    def finished(
        self, reason: str | None, taken_ids: Container[str]
    ) -> Iterator[llm.FunctionToolCall]:
        """The calls to make.

        Args:
            reason: the model's finish reason, if it sent one.
            taken_ids: ids of earlier calls; results are matched with calls by their ids, and some
                services reuse ids with each answer.
        """
        used: set[str] = set()
        for call in _runnable(self._calls, reason):
            if not call.id or call.id in used or call.id in taken_ids:
                call.id = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
            used.add(call.id)
            yield llm.FunctionToolCall(
                name=call.name,
                arguments=kept_from_repair(whole_characters(call.arguments)),
                call_id=call.id,
                extra=call.extra,
            )
        self._calls.clear()

    def _of(self, delta: ToolCallDelta, function: FunctionDelta, touched: set[_Call]) -> _Call:
        """The call that a piece belongs to; a new one if it begins one."""
        call = self._known(delta)
        if call is None or _is_another(delta, function, call, is_touched=call in touched):
            call = _Call(delta.index, delta.id or "", "")
            self._calls.append(call)
        return call

    def _known(self, delta: ToolCallDelta) -> _Call | None:
        if not self._calls:
            return None
        latest = self._calls[-1]
        named = self._latest(
            call
            for call in self._calls
            if delta.id and call.id == delta.id and delta.index in {None, call.index}
        )
        if delta.index is None or named is not None:
            return named or latest
        same = self._latest(call for call in self._calls if call.index == delta.index)
        if same is None and latest.index is None:
            return latest
        return same

    @staticmethod
    def _latest(calls: Iterable[_Call]) -> _Call | None:
        found = None
        for found in calls:  # noqa: B007 - the last one
            pass
        return found


def _is_another(
    delta: ToolCallDelta, function: FunctionDelta, call: _Call, *, is_touched: bool
) -> bool:
    """Whether a piece begins a call besides the one that it would belong to by its place."""
    other_id = bool(delta.id and call.id and delta.id != call.id)
    if not function.name:
        # Arguments of another call whose name is missing are nobody's.
        return other_id and call.is_whole
    if not call.name:
        return False
    if function.name != call.name or is_touched:
        return is_touched or not _continues_name(delta, call)
    arguments = function.arguments
    if not call.pieces and call.whole is None:
        return other_id and not arguments
    if not call.is_whole or not arguments:
        return False
    return other_id or not delta.id or arguments != (call.whole or call.arguments)


def _continues_name(delta: ToolCallDelta, call: _Call) -> bool:
    """Whether a piece with a name goes on with that of its call, which some services cut."""
    is_at_its_place = delta.index is not None and delta.index == call.index
    is_named = delta.id in {None, "", call.id}
    return is_at_its_place and is_named and not call.pieces and call.whole is None


def _take(call: _Call, delta: ToolCallDelta) -> None:
    if call.index is None:
        call.index = delta.index
    call.id = call.id or delta.id or ""
    call.extra = call.extra or delta.extra_content
    function = delta.called
    if function.name and function.name != call.name:
        call.name += function.name
    if isinstance(function.arguments, dict):
        call.whole = function.arguments
    elif function.arguments and not (call.is_whole and function.arguments == call.arguments):
        call.pieces.append(function.arguments)


def _runnable(calls: Sequence[_Call], reason: str | None) -> Iterator[_Call]:
    for call in calls:
        if reason == CONTENT_FILTER or not call.name:
            problem = "it was withheld" if call.name else "it has no name"
        elif reason == LENGTH and not call.is_whole:
            problem = "its arguments were cut off"
        elif reason is None and not call.is_whole and call.arguments.strip():
            problem = "the answer ended before its arguments did"
        else:
            yield call
            continue
        logger.warning("model's call of %s skipped: %s", call.name or "a tool", problem)


def _is_object(text: str) -> bool:
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return False
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
