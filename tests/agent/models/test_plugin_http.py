"""The HTTP session of plugins: one for all rooms, in the context of who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from livekit.agents import llm
from livekit.agents.utils import http_context

from agent.models.shared_llm import SharedLLM
from agent.telemetry import log_fields


class Noting(llm.LLM[Any]):
    """Notes in which session and with which fields of the log it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[aiohttp.ClientSession, Mapping[str, str]]] = []

    def chat(self, **_: Any) -> Any:  # noqa: ANN401 - those of LLM.chat
        self.asked.append((http_context.http_session(), dict(log_fields.current())))
        return None


async def test_each_request_has_the_log_fields_of_its_own_room() -> None:
    async def on_main_thread(_: object) -> None:
        raise NotImplementedError

    model = Noting()
    shared = SharedLLM(model, on_main_thread)
    with log_fields.bound(room="one", message="m-1"):
        await shared.chat()
    with log_fields.bound(room="two"):
        await shared.chat()
    (first, of_one), (second, of_two) = model.asked
    assert first is second
    assert not first.closed
    assert (of_one, of_two) == ({"room": "one", "message": "m-1"}, {"room": "two"})
    await shared.aclose()
    assert first.closed
