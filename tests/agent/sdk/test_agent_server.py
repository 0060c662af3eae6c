"""The server's hooks are called, and livekit-agents is the one that they are for."""

from __future__ import annotations

import asyncio
import threading

import pytest
from livekit.agents import AgentServer

from agent.config.sdk_patches import selected_patches
from agent.sdk.agent_server import SdkServer
from agent.sdk.patches import PROCESS
from tests.agent.conftest import StartWorker


@pytest.mark.parametrize("patches", ["on", "off"])
async def test_the_load_is_counted_where_it_is_asked_for(
    start_worker: StartWorker, patches: str
) -> None:
    """Each look at it is one of the server's own, twice a second and before each job."""
    worker = await start_worker(SDK_PATCHES=patches)
    assert isinstance(worker.server, SdkServer)
    asked: asyncio.Queue[str] = asyncio.Queue()

    def load() -> float:
        asked.put_nowait(threading.current_thread().name)
        return 0.0

    worker.server.load_fnc = load
    async with asyncio.timeout(20):
        is_here = await asked.get() == threading.current_thread().name
    assert is_here == (patches == "on")


async def test_a_registered_worker_is_connected(start_worker: StartWorker) -> None:
    worker = await start_worker()
    assert isinstance(worker.server, SdkServer)
    assert worker.server.is_connected


async def test_a_worker_whose_connection_cannot_be_watched_is_connected_once_registered(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_ws = AgentServer._run_ws  # pyright: ignore[reportPrivateUsage]

    class NoCoroutine:
        def __get__(self, server: AgentServer | None, _: type) -> object:
            return self if server is None else run_ws.__get__(server)

    monkeypatch.setattr(PROCESS, "_reported", set[str]())
    monkeypatch.setattr(AgentServer, "_run_ws", NoCoroutine())
    worker = await start_worker()
    assert isinstance(worker.server, SdkServer)
    assert worker.server.is_connected
    assert "/readyz does not notice" in caplog.text


def test_livekit_agents_has_what_the_hooks_need() -> None:
    assert {"_run_ws", "_invoke_load_fnc", "_update_worker_status"} <= set(vars(AgentServer))
    server = AgentServer(ws_url="ws://localhost", api_key="key", api_secret="x" * 32)
    assert {"_http_server", "_port", "_drain_timeout"} <= set(vars(server))
    assert selected_patches("load") == {"load"}
