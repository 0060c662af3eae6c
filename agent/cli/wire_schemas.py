"""JSON schemas of the wire format, generated from the types and methods that send and read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from agent.contract.answers import (
    Approval,
    CallDescription,
    Elicitation,
    ElicitationDescription,
    JsonText,
)
from agent.contract.notices import Notice
from agent.contract.packets import AnswerDelta, ChatAnswer, FilePiece, RpcAnswerPart
from agent.contract.parts import Part, PartLine
from agent.data.topics import TOPICS
from agent.data.whiteboard import WhiteboardHandler
from agent.default_app import app_of
from agent.files.room_files import RoomFiles
from agent.parts.part_actions import PartActions
from agent.rpc.answer_methods import answer_methods
from agent.rpc.backend_methods import backend_methods
from agent.rpc.erasure_methods import erase_data_tool
from agent.rpc.get_history import get_history_tool
from agent.rpc.get_message import get_message_tool
from agent.rpc.message_methods import message_methods
from agent.rpc.set_listening import set_listening_tool
from agent.rpc.state_methods import state_methods
from agent.rpc.thread_methods import thread_methods

if TYPE_CHECKING:
    from toolkit.tool import Tool

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _Nothing:
    """Stands for a room, and for everything in it: methods are described without one, and not
    called."""

    def __getattr__(self, name: str) -> _Nothing:
        return self

    def __call__(self, *_: object, **__: object) -> _Nothing:
        return self


_NOTHING: Final = cast("Any", _Nothing())


def methods() -> list[Tool]:
    """The agent's own RPC methods, and describeTools, which no installed package has by itself."""
    return [
        *(each for each in app_of("").tools if each.name == "describeTools"),
        get_history_tool("", _NOTHING, _NOTHING),
        get_message_tool("", _NOTHING),
        *answer_methods(_NOTHING),
        *message_methods(_NOTHING),
        *thread_methods(_NOTHING),
        PartActions().method(),
        *state_methods("", _NOTHING, "nobody"),
        set_listening_tool(_NOTHING, _NOTHING, _NOTHING),
        erase_data_tool(_NOTHING, _NOTHING),
        *WhiteboardHandler(_NOTHING).methods(),
        *RoomFiles(
            _NOTHING,
            "",
            "",
            files=_NOTHING,
            history=_NOTHING,
            agent="",
            quota=_NOTHING,
            settled=_NOTHING,
            reads_alone=_NOTHING,
        ).methods(),
        *backend_methods(_NOTHING, _NOTHING, _NOTHING, _NOTHING),
    ]


def wire_schemas() -> dict[str, object]:
    """One JSON schema; its `$defs` have everything by name.

    `methods` has the request and the answer of each RPC method of the agent, `clientMethods` those
    of the methods that it calls on clients. `notices`, `packets` and `parts` have what the agent
    sends, `topics` the content of clients' packets by topic.
    """
    named = _Definitions()
    own = {
        each.name: {
            "description": each.description,
            "request": named.named(f"{_title(each.name)}Request", each.json_schema()),
            "answer": named.of(_answer(each)),
        }
        for each in methods()
    }
    client = {
        "approveTool": {"request": named.of(CallDescription), "answer": named.of(Approval)},
        "elicit": {
            "request": named.of(ElicitationDescription),
            "answer": named.of(Elicitation),
        },
    }
    packets = {
        "delta": named.of(AnswerDelta),
        "chat": named.of(ChatAnswer),
        "rpcAnswer": named.of(RpcAnswerPart),
        "file": named.of(FilePiece),
    }
    topics = {
        topic.name: named.named(f"{_title(topic.name)}Content", topic.content.model_json_schema())
        for topic in TOPICS
        if topic.sent_by == "people"
    }
    return {
        "$schema": DIALECT,
        "title": "The wire format between a livekit-room-agent and its clients",
        "parts": named.of(Part, "Part"),
        "partLines": named.of(PartLine, "PartLine"),
        "notices": named.of(Notice, "Notice"),
        "packets": packets,
        "topics": topics,
        "methods": own,
        "clientMethods": client,
        "$defs": named.definitions,
    }


class _Definitions:
    """Collects schemas by name."""

    def __init__(self) -> None:
        self.definitions: dict[str, object] = {}

    def of(self, kind: object, name: str = "") -> dict[str, object]:
        """A reference to a type; the schema of one that has no name, unless one is given."""
        schema = TypeAdapter(cast("Any", kind)).json_schema()
        name = name or str(schema.get("title", ""))
        return self.named(name, schema) if name else self._take(schema)

    def named(self, name: str, schema: dict[str, Any]) -> dict[str, object]:
        """A reference to a schema, under this name."""
        self._add(name, self._take(schema))
        return {"$ref": f"#/$defs/{name}"}

    def _take(self, schema: dict[str, Any]) -> dict[str, object]:
        for name, definition in schema.pop("$defs", {}).items():
            self._add(name, _without_titles(definition))
        return cast("dict[str, object]", _without_titles(schema))

    def _add(self, name: str, schema: object) -> None:
        if self.definitions.setdefault(name, schema) != schema:
            raise TypeError(f"two types of the wire have the name {name}")


def _answer(method: Tool) -> object:
    hint = get_type_hints(method.function, include_extras=True)["return"]
    if get_origin(hint) is Annotated:
        for mark in get_args(hint)[1:]:
            if isinstance(mark, JsonText):
                return mark.of
    return hint


def _without_titles(schema: object) -> object:
    """A schema without the titles that pydantic makes of the names of fields."""
    match schema:
        case dict():
            fields = cast("dict[str, object]", schema)
            return {
                name: _without_titles(value)
                for name, value in fields.items()
                if name != "title" or not isinstance(value, str)
            }
        case list():
            return [_without_titles(each) for each in cast("list[object]", schema)]
        case _:
            return schema


def _title(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", name[:1].upper() + name[1:])
