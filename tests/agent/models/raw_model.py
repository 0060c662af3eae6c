"""RawModel: a model service that answers with exactly the bytes that it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class RawAnswer:
    """An answer; its body is cut into pieces of `cut` bytes, if that is not 0."""

    body: bytes = b""
    status: int = 200
    kind: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: int = 0


@dataclass(frozen=True)
class RawRequest:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: dict[str, Any]


class RawModel:
    """An async context manager.

    Attributes:
        answer: makes the answer to each request, as long as none is scripted.
        requests: those for completions, in order.
        models: the answer to a request for the list of models.
    """

    def __init__(self, *scripted: RawAnswer, prefix: str = "/v1") -> None:
        self.requests: list[RawRequest] = []
        self.answer: Callable[[RawRequest], RawAnswer] = lambda _: RawAnswer(said("Hello."))
        self.models = RawAnswer(
            b'{"object":"list","data":[{"id":"demo"}]}', kind="application/json"
        )
        self._scripted = list(scripted)
        self._prefix = prefix
        app = web.Application()
        app.router.add_get(f"{prefix}/models", self._list)
        app.router.add_post(f"{prefix}/chat/completions", self._complete)
        self._server = TestServer(app)

    @property
    def base_url(self) -> str:
        return str(self._server.make_url(self._prefix))

    def script(self, *answers: RawAnswer) -> None:
        """Answer the next requests with these, one each."""
        self._scripted += answers

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._server.close()

    async def _list(self, http: web.Request) -> web.StreamResponse:
        return await _send(http, self.models)

    async def _complete(self, http: web.Request) -> web.StreamResponse:
        request = RawRequest(http.path, http.query, http.headers, await http.json())
        self.requests.append(request)
        answer = self._scripted.pop(0) if self._scripted else self.answer(request)
        return await _send(http, answer)


async def _send(http: web.Request, answer: RawAnswer) -> web.StreamResponse:
    headers = {"content-type": answer.kind, **answer.headers}
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(http)
    step = answer.cut or len(answer.body) or 1
    for start in range(0, len(answer.body), step):
        await response.write(answer.body[start : start + step])
    await response.write_eof()
    return response


def said(text: str) -> bytes:
    """A plain answer as OpenAI streams it."""
    delta = '{"content":' + json.dumps(text) + "}"
    events = (
        f'{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}',
        '{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        "[DONE]",
    )
    return "".join(f"data: {event}\n\n" for event in events).encode()
