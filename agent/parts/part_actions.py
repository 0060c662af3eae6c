"""partAction: actions of data parts, as an RPC method."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

from pydantic import Field

from toolkit.context import ToolContext
from toolkit.errors import NotAllowed, NotFound
from toolkit.parts import MAX_ID, MAX_NAME, Data, OnAction, PartAction
from toolkit.tool import Tool, tool

MAX_PARTS: Final = 1_000
"""Parts of one room that take actions; beyond that the oldest no longer do."""

ACTION_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Actionable:
    on_action: OnAction
    schema: Mapping[str, object] | None
    owner: str | None


class PartActions:
    """Tracks which parts of one room take actions, during the stay, and passes the actions on."""

    def __init__(self) -> None:
        self._parts: OrderedDict[tuple[str, str], _Actionable] = OrderedDict()

    def note(self, answer: str, owner: str | None, part: str, data: Data | None) -> None:
        """Registers a part, or removes one that no longer takes actions (None).

        Args:
            answer: segment id of its answer.
            owner: who alone sees it; None: everybody in the room.
        """
        self._parts.pop((answer, part), None)
        if data is None or data.on_action is None:
            return
        self._parts[answer, part] = _Actionable(data.on_action, data.schema, owner)
        if len(self._parts) > MAX_PARTS:
            self._parts.popitem(last=False)

    def forget(self, answer: str) -> None:
        """Removes the parts of an answer that is given again, or deleted."""
        for key in [key for key in self._parts if key[0] == answer]:
            del self._parts[key]

    def forget_all(self, owner: str | None) -> None:
        """Removes the parts of a deleted thread: the room's (None) or somebody's private one."""
        for key in [key for key, part in self._parts.items() if part.owner == owner]:
            del self._parts[key]

    def method(self) -> Tool:
        """The method for one room."""

        @tool(timeout=ACTION_TIMEOUT)
        async def part_action(
            context: ToolContext,
            message: Annotated[
                str,
                Field(description="the answer: its lk.segment_id", min_length=1, max_length=256),
            ],
            part: Annotated[str, Field(description="id of the part", max_length=MAX_ID)],
            action: Annotated[
                str, Field(description="name of the action", min_length=1, max_length=MAX_NAME)
            ],
            payload: Annotated[
                dict[str, object] | None, Field(description="values that were entered")
            ] = None,
        ) -> object:
            """Do something with a data part of an answer."""
            caller = context.caller
            if caller is None:
                raise NotAllowed("Only participants may do this")
            found = self._parts.get((message, part))
            if found is None or found.owner not in {None, caller.identity}:
                raise NotFound("No such part takes actions")
            if found.owner is not None:
                context.keep_confidential()
            given = dict(payload or {})
            _check(found.schema, given)
            return await found.on_action(PartAction(part, action, given, caller))

        return part_action


def _check(schema: Mapping[str, object] | None, payload: Mapping[str, object]) -> None:
    """Raises InvalidArguments unless a payload fits a part's schema."""
    if schema is None:
        return
    # Imported on demand: it takes 4 MB.
    from toolkit.schema_parameters import SchemaParameters  # noqa: PLC0415

    SchemaParameters.of(cast("Mapping[str, Any]", schema)).validate(payload)
