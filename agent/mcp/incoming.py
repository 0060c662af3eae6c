"""MendedMessages: messages of a server; those that mcp could not read are mended or answered."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self, cast

from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError

from agent.unicode_text import well_formed_json

Item = SessionMessage | Exception

_UNREADABLE: Final = ErrorData(
    code=INVALID_REQUEST, message="the answer is not a JSON-RPC response"
)


class MendedMessages:
    """A stream of messages from a server.

    mcp passes on a message that it cannot read as a ValidationError, and the request whose answer
    it was waits until its timeout. Here half surrogate pairs are replaced, and an answer that still
    cannot be read becomes an error for its request.

    Args:
        stream: mcp's own (mcp.client._transport.ReadStream).
    """

    def __init__(self, stream: object) -> None:
        self._stream = cast("MendedMessages", stream)

    @property
    def last_context(self) -> object:
        """The context in which the latest message was sent, as mcp's dispatcher reads it."""
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Item:
        return _mended(await self._stream.receive())

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        return _mended(await self._stream.__anext__())

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._stream.__aexit__(kind, error, traceback)


def _mended(item: Item) -> Item:
    if not isinstance(item, ValidationError):
        return item
    errors = item.errors(include_url=False)
    text = cast("object", errors[0]["input"])
    if errors[0]["type"] != "json_invalid" or not isinstance(text, str):
        return _refused(item)
    try:
        message = jsonrpc_message_adapter.validate_json(well_formed_json(text), by_name=False)
    except ValidationError as error:
        return _refused(error)
    return SessionMessage(message)


def _refused(error: ValidationError) -> Item:
    """The error that the answer stands for, if it was one to a request."""
    for each in error.errors(include_url=False):
        message = cast("object", each["input"])
        if isinstance(message, dict) and ("result" in message or "error" in message):
            request_id = cast("dict[str, object]", message).get("id")
            if isinstance(request_id, str) or type(request_id) is int:
                answer = JSONRPCError(jsonrpc="2.0", id=request_id, error=_UNREADABLE)
                return SessionMessage(answer)
    return error
