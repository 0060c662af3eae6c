"""A client that speaks signalling v1 or v0 itself, without an SDK and without media."""

from __future__ import annotations

import asyncio
import base64
import gzip
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from livekit.protocol import models, rtc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tests.room_server import RoomServerUnderTest

WITHIN = 20.0


def encoded(request: rtc.JoinRequest, *, compressed: bool = True) -> str:
    """The value of the query parameter `join_request`."""
    body = request.SerializeToString()
    wrapped = (
        rtc.WrappedJoinRequest(
            compression=rtc.WrappedJoinRequest.GZIP, join_request=gzip.compress(body)
        )
        if compressed
        else rtc.WrappedJoinRequest(join_request=body)
    )
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()


def join_request(**fields: Any) -> rtc.JoinRequest:  # noqa: ANN401  fields of a message
    """A request as an SDK makes it; `fields` are those of rtc.JoinRequest."""
    return rtc.JoinRequest(
        client_info=models.ClientInfo(
            protocol=16, client_protocol=fields.pop("client_protocol", 0)
        ),
        connection_settings=rtc.ConnectionSettings(auto_subscribe=True),
        **fields,
    )


class RawSignal:
    """One signal connection; use it as an async context manager.

    With `query` it is one of signalling v0, which has these parameters in place of a request.
    """

    def __init__(
        self,
        server: RoomServerUnderTest,
        token: str,
        request: rtc.JoinRequest | None = None,
        *,
        path: str = "/rtc/v1",
        query: Mapping[str, str] | None = None,
    ) -> None:
        self._url = server.http_url + ("/rtc" if query is not None else path)
        self._params = {"access_token": token}
        if query is None:
            self._params["join_request"] = encoded(request or join_request())
        else:
            self._params.update(query)
        self._session = aiohttp.ClientSession()
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        try:
            self._socket = await self._session.ws_connect(self._url, params=self._params)
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.socket.close()
        await self._session.close()

    @property
    def socket(self) -> aiohttp.ClientWebSocketResponse:
        assert self._socket is not None
        return self._socket

    async def send(self, request: rtc.SignalRequest) -> None:
        await self.socket.send_bytes(request.SerializeToString())

    async def next(self, kind: str) -> rtc.SignalResponse:
        """The next response of this kind; others before it are dropped."""
        async with asyncio.timeout(WITHIN):
            while True:
                response = rtc.SignalResponse.FromString(await self.socket.receive_bytes())
                if response.WhichOneof("message") == kind:
                    return response

    async def kinds_until(self, kind: str) -> list[str]:
        """The kinds of the responses before one of this kind."""
        kinds: list[str] = []
        async with asyncio.timeout(WITHIN):
            while True:
                response = rtc.SignalResponse.FromString(await self.socket.receive_bytes())
                name = response.WhichOneof("message") or ""
                if name == kind:
                    return kinds
                kinds.append(name)

    async def closed(self) -> None:
        """Returns when the server has ended the connection; what comes before is dropped."""
        async with asyncio.timeout(WITHIN):
            while (await self.socket.receive()).type not in (
                aiohttp.WSMsgType.CLOSE,
                aiohttp.WSMsgType.CLOSED,
                aiohttp.WSMsgType.ERROR,
            ):
                pass
