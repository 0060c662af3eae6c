"""whiteboard: a shared drawing, kept for late joiners; the model reads and draws, too."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import Field

from agent.contract.answers import JsonText, WhiteboardPage
from agent.data.board import Board
from agent.data.board_keeper import BoardKeeper
from agent.data.board_operation import AnyOperation, Clear, Erase, Operation
from agent.data.packet import Packet
from agent.data.rate import Rate
from agent.data.topic import Topic, TopicHandler, TopicRoom
from agent.history.errors import UnavailableError
from agent.rpc.arguments import caller_of
from agent.rpc.permissions import check_clearing
from agent.wire.envelope import MAX_PACKET_BYTES, encode
from agent.wire.refusal import Refusal
from toolkit.context import ToolContext
from toolkit.errors import NotAllowed, NotFound, TooLarge, ToolError, Unavailable
from toolkit.tool import Tool, tool

PAGE_BYTES: Final = MAX_PACKET_BYTES - 200
"""Of elements or operations in an answer."""

READ_BYTES: Final = 8_000
"""Limit of elements that the model reads."""

MAX_DRAWN: Final = 50
"""Operations in a call."""

RETRY_AFTER: Final = 5.0

Sequence = Annotated[int, Field(ge=0)]


class WhiteboardHandler(TopicHandler[Operation]):
    """Keeps the room's board, and lets people and the model read it, and the model draw on it."""

    def __init__(self, room: TopicRoom) -> None:
        super().__init__(room)
        self._board = Board()
        self._keeper = BoardKeeper(room.history.boards, room.conversation, self._board)
        self._is_used = False

    @property
    def in_use(self) -> bool:
        return self._is_used

    async def take(self, packet: Packet[Operation]) -> None:
        self._is_used = True
        try:
            await self._keeper.loaded()
        except UnavailableError:
            sentence = "The whiteboard is not available right now."
            raise Refusal(503, sentence, retry_after=RETRY_AFTER) from None
        identity = packet.sender.identity
        if isinstance(packet.content.root, Clear):
            try:
                check_clearing(await self.room.find_caller(identity), self.room.may_clear)
            except NotAllowed as error:
                raise Refusal(error.code, f"{error.message}.") from None
        self._do(packet.content, identity, packet.timestamp)

    def tools(self) -> Iterable[Tool]:
        return self._read_tool(), self._draw_tool()

    def methods(self) -> Iterable[Tool]:
        @tool
        async def get_whiteboard(
            after: Annotated[Sequence, Field(description="nextAfter of the previous page")] = 0,
            since: Annotated[
                Sequence | None, Field(description="sequence up to which the caller knows it")
            ] = None,
        ) -> Annotated[str, JsonText(WhiteboardPage)]:
            """The whiteboard, page by page, from the bottom up; or the operations since a
            number."""
            self._is_used = True
            await self._loaded()
            if since is None:
                return self._answer("elements", "nextAfter", self._board.page(after, PAGE_BYTES))
            page = self._board.since(since, PAGE_BYTES)
            if page is None:
                raise NotFound("The log does not go back that far: read the whiteboard again")
            return self._answer("operations", "nextSince", page)

        return (get_whiteboard,)

    async def erase(self, identity: str | None) -> None:
        """Makes every client remove the elements, then removes them from its own log.

        Raises:
            ToolError: (503) the database cannot be used.
        """
        await self._loaded()
        if not self._board.sequence:
            return
        if identity is None:
            await self._draw(Operation(Clear(op="clear")))
        else:
            for element in self._board.drawn_by(identity):
                await self._draw(Operation(Erase(op="erase", id=element)))
        self._board.forget_log()
        await self._keeper.rewrite()

    async def aclose(self) -> None:
        await self._keeper.aclose()

    def _do(self, operation: Operation, sender: str, timestamp: int) -> None:
        logged = self._board.do(operation, sender, timestamp)
        if logged is not None:
            self._keeper.keep(logged)

    async def _loaded(self) -> None:
        try:
            await self._keeper.loaded()
        except UnavailableError as error:
            message = "The whiteboard is not available right now"
            raise Unavailable(message, retry_after=RETRY_AFTER) from error

    def _answer(self, name: str, next_name: str, page: tuple[list[str], int | None]) -> str:
        shapes, following = page
        more = "" if following is None else f',"{next_name}":{following}'
        return f'{{"{name}":[{",".join(shapes)}],"sequence":{self._board.sequence}{more}}}'

    def _read_tool(self) -> Tool:
        @tool
        async def read_whiteboard() -> dict[str, object]:
            """Returns the room's whiteboard: notes and texts in full, strokes in outline."""
            await self._loaded()
            shown: list[dict[str, Any]] = []
            left = READ_BYTES
            for element in self._board:
                outline = _outline(element)
                left -= len(encode(outline)) + 1
                if left < 0:
                    break
                shown.append(outline)
            return {"elements": shown, "notShown": len(self._board) - len(shown)}

        return read_whiteboard

    def _draw_tool(self) -> Tool:
        @tool
        async def draw_on_whiteboard(
            context: ToolContext,
            operations: Annotated[list[AnyOperation], Field(min_length=1, max_length=MAX_DRAWN)],
        ) -> dict[str, object]:
            """Draw on the room's whiteboard, for everybody to see: strokes through points, notes,
            texts; move or erase elements by their ids, or clear everything."""
            if any(isinstance(operation, Clear) for operation in operations):
                check_clearing(caller_of(context), self.room.may_clear)
            await self._loaded()
            for operation in operations:
                await self._draw(Operation(operation))
            return {"sequence": self._board.sequence}

        return draw_on_whiteboard

    async def _draw(self, operation: Operation) -> None:
        """Applies operations, and sends them to every client."""
        try:
            self._do(operation, self.room.channel.identity, int(time.time() * 1000))
        except Refusal as refusal:
            raise _as_tool_error(refusal) from None
        content = operation.root.model_dump(exclude_none=True)
        await self.room.channel.broadcast(WHITEBOARD.name, content)


def _as_tool_error(refusal: Refusal) -> ToolError:
    kind = NotFound if refusal.code == NotFound.code else TooLarge
    return kind(refusal.sentence.removesuffix("."))


def _outline(element: dict[str, Any]) -> dict[str, Any]:
    """An element as the model reads it."""
    shape = {name: element[name] for name in ("op", "id", "senderId", "color") if name in element}
    if element["op"] != "stroke":
        return shape | {name: element[name] for name in ("x", "y", "text")}
    points: list[list[float]] = element["points"]
    xs, ys = zip(*points, strict=True)
    return shape | {
        "from": points[0],
        "to": points[-1],
        "box": [min(xs), min(ys), max(xs), max(ys)],
        "points": len(points),
    }


WHITEBOARD: Final[Topic[Any]] = Topic(
    "whiteboard",
    content=Operation,
    handler=WhiteboardHandler,
    rate=Rate(per_second=100, burst=500),
)
