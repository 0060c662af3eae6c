"""Twirp without a client library: the bytes of requests and responses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import aiohttp

    from tests.room_server import RoomServerUnderTest


class Answer(NamedTuple):
    """An HTTP answer; `body` is parsed where it is JSON, else text, or bytes if it is no text."""

    status: int
    content_type: str
    body: Any

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, Twirp code and message."""
        return self.status, self.body["code"], self.body["msg"]


class TwirpClient:
    """Calls methods of the server under test."""

    def __init__(self, server: RoomServerUnderTest, http: aiohttp.ClientSession) -> None:
        self._server = server
        self._http = http

    def administrator(self, room: str) -> str:
        """A token that may do everything with `room`."""
        return self._server.token("", room, room_create=True, room_list=True, room_admin=True)

    async def call(
        self,
        method: str,
        request: dict[str, Any] | bytes = b"{}",
        *,
        token: str | None = None,
        content_type: str = "application/json",
        verb: str = "POST",
    ) -> Answer:
        """Calls `Service/Method`; without a token it is an administrator of the request's room."""
        if token is None:
            room = request.get("room", "") if isinstance(request, dict) else ""
            token = self.administrator(room)
        body = json.dumps(request).encode() if isinstance(request, dict) else request
        headers = {"Content-Type": content_type}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self._server.http_url}/twirp/livekit.{method}"
        async with self._http.request(verb, url, data=body, headers=headers) as response:
            return Answer(response.status, response.content_type, _parsed(await response.read()))


def _parsed(body: bytes) -> Any:  # noqa: ANN401  # whatever JSON holds
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
