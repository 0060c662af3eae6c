"""cursor: the newest position at which each participant points."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from agent.data.packet import Packet
from agent.data.rate import Rate
from agent.data.topic import Topic, TopicHandler, TopicRoom
from toolkit.tool import Tool, tool

Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class Cursor(BaseModel):
    """A position, in units of the app's choosing, with an optional label."""

    x: Coordinate
    y: Coordinate
    label: Annotated[str, Field(max_length=100)] | None = None


class CursorHandler(TopicHandler[Cursor]):
    """Keeps the newest position of everybody who is in the room."""

    def __init__(self, room: TopicRoom) -> None:
        super().__init__(room)
        self._newest: dict[str, tuple[float, Packet[Cursor]]] = {}

    def take(self, packet: Packet[Cursor]) -> None:
        self._newest[packet.sender.identity] = (time.monotonic(), packet)

    def forget(self, identity: str) -> None:
        self._newest.pop(identity, None)

    @property
    def in_use(self) -> bool:
        return bool(self._newest)

    def tools(self) -> Iterable[Tool]:
        @tool
        async def get_cursors(
            limit: Annotated[int, Field(ge=1, le=100, description="how many at most")] = 20,
        ) -> dict[str, object]:
            """Positions at which participants point (mouse or finger), latest first."""
            now = time.monotonic()
            newest = sorted(self._newest.values(), key=lambda each: -each[0])[:limit]
            return {"cursors": [_as_shape(packet, now - since) for since, packet in newest]}

        return (get_cursors,)


def _as_shape(packet: Packet[Cursor], age: float) -> dict[str, object]:
    shape: dict[str, object] = {
        "identity": packet.sender.identity,
        "name": packet.sender.name,
        **packet.content.model_dump(exclude_none=True),
        "secondsAgo": round(age, 1),
    }
    return shape


CURSOR: Final[Topic[Any]] = Topic(
    "cursor",
    content=Cursor,
    handler=CursorHandler,
    reliable=False,
    rate=Rate(per_second=60, burst=60),
)
