"""RawResults: results of requests about tools, as the server sent them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcp.shared.dispatcher import CallOptions
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp_types import RequestId

RAW: Final = "result"
"""Key in the `_meta` of an empty result that holds the result that the server sent."""

_EMPTY: Final[Mapping[str, Mapping[str, Any]]] = {
    "tools/list": {"tools": []},
    "tools/call": {"content": []},
}


class RawResults(JSONRPCDispatcher):
    """mcp's dispatcher, which keeps tools and their results away from mcp's models.

    The models refuse a whole list for one tool, and a whole result for one part that they do not
    know. `ServerTools` and `text_of` judge each piece by itself instead.
    """

    async def send_raw_request(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        opts: CallOptions | None = None,
        *,
        _related_request_id: RequestId | None = None,
    ) -> dict[str, Any]:
        result = await super().send_raw_request(
            method, params, opts, _related_request_id=_related_request_id
        )
        empty = _EMPTY.get(method)
        return result if empty is None else {**empty, "_meta": {RAW: result}}
