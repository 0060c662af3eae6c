"""A patch that does not fit, or is not selected, leaves the SDK's own way in place."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from google.protobuf.message import Message
from livekit import rtc
from livekit.agents.ipc import proc_pool
from livekit.agents.telemetry.loop_monitor import EventLoopMonitor
from livekit.rtc import _ffi_client
from livekit.rtc._ffi_client import FfiClient, FfiQueue
from livekit.rtc._proto.ffi_pb2 import FfiEvent

from agent.config.sdk_patches import PATCHES, selected_patches
from agent.sdk import (
    job_pool,
    loop_monitor,
    native_events,
    native_log,
    native_sockets,
    sending,
)
from agent.sdk.patches import PROCESS, Patches
from agent.sdk.public_sending import PublicText
from devserver.model import DemoModel, Reply
from tests.agent.conftest import Enter, StartWorker

if TYPE_CHECKING:
    from tests.conftest import Join


class OtherQueue(FfiQueue[FfiEvent]):
    """As the queue of another SDK could be."""

    def put_all(self, items: list[FfiEvent]) -> None:
        for item in items:
            self.put(item)


class OtherProcPool(proc_pool.ProcPool):
    """As the pool of another livekit-agents could be."""

    def __init__(self) -> None: ...


def other_initialize(self: FfiClient) -> None:
    """As the initialization of another SDK could be."""


class OtherMonitor(EventLoopMonitor):
    """As the monitor of another livekit-agents could be."""

    def _build_report(self, lag: float) -> None: ...  # pyright: ignore[reportIncompatibleMethodOverride]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Each of these fixtures changes the SDK, and returns whether the patch was applied to it."""

    def applied() -> bool:
        queue = OtherQueue()
        monkeypatch.setattr(FfiClient.instance, "_queue", queue)
        native_events.install()
        return FfiClient.instance.queue is not queue

    return applied


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    def applied() -> bool:
        monkeypatch.setattr(proc_pool, "ProcPool", OtherProcPool)
        monkeypatch.setattr(job_pool, "_ProcPool", OtherProcPool)
        job_pool.install()
        return proc_pool.ProcPool is not OtherProcPool

    return applied


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    def applied() -> bool:
        before = _ffi_client.get_ffi_lib
        monkeypatch.setattr(FfiClient, "__init__", other_initialize)
        native_log.keep_native()
        return _ffi_client.get_ffi_lib is not before

    return applied


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    def applied() -> bool:
        monkeypatch.setattr(loop_monitor, "EventLoopMonitor", OtherMonitor)
        return loop_monitor.monitor_class() is not OtherMonitor

    return applied


@pytest.mark.parametrize("patch", ["blocks", "events", "jobs", "log"])
def test_a_patch_that_does_not_fit_is_not_applied_and_named_once(
    patch: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(PROCESS, "_reported", set[str]())
    applied: Callable[[], bool] = request.getfixturevalue(patch)
    with caplog.at_level(logging.WARNING, "agent.sdk"):
        assert not applied()
        assert not applied()
    assert [record.getMessage() for record in caplog.records if repr(patch) in record.message] == [
        caplog.records[0].getMessage()
    ]


def test_one_that_is_not_selected_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    patches = Patches()
    patches.select(selected_patches("off"))
    assert not any(patches.applies(name, fits=False, instead="") for name in PATCHES)
    assert not caplog.records


def test_without_the_patch_of_sockets_their_options_stay() -> None:
    PROCESS.select(selected_patches("events"))
    with socket.socket() as connection:
        native_sockets.send_at_once()
        assert not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        PROCESS.select(PATCHES)
        native_sockets.send_at_once()
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_room_is_answered_where_the_requests_have_other_fields(
    enter: Enter,
    model: DemoModel,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def lacks_async_id(message: Message, *names: str) -> bool:
        return "request_async_id" not in names and set(names) <= set(
            message.DESCRIPTOR.fields_by_name
        )

    monkeypatch.setattr(PROCESS, "_reported", set[str]())
    monkeypatch.setattr(sending, "has_fields", lacks_async_id)
    monkeypatch.setattr(sending, "_FITS", sending._fits())  # pyright: ignore[reportPrivateUsage]
    model.script(Reply("one two three"))
    ana = await enter("ana", worker=await start_worker(SDK_PATCHES="on"))
    with caplog.at_level(logging.WARNING, "agent.sdk"):
        reply = await ana.ask("count")
    assert reply.text == "one two three"
    assert len([each for each in caplog.records if "'sending'" in each.getMessage()]) == 1


async def test_the_public_way_keeps_the_order_of_what_is_sent(join: Join) -> None:
    heard = asyncio.Queue[rtc.TextStreamReader]()

    def listen(room: rtc.Room) -> None:
        room.register_text_stream_handler("t", lambda reader, _: heard.put_nowait(reader))

    await join("bob", prepare=listen)
    room = await join("ana")
    async with asyncio.timeout(20):
        stream = PublicText(room, "t", {"a": "1"}, stream_id="one")
        for number in range(50):
            stream.begin_write(f"{number} ")
        await stream.begin_close({"b": "2"}).settled()
        reader = await heard.get()
        assert await reader.read_all() == "".join(f"{number} " for number in range(50))
    assert (reader.info.stream_id, reader.info.attributes) == ("one", {"a": "1", "b": "2"})


async def test_the_public_way_fails_as_the_sdk_does(join: Join) -> None:
    room = await join("ana")
    async with asyncio.timeout(20):
        stream = PublicText(room, "t", {})
        await stream.opened()
        assert stream.is_open
        await room.disconnect()
        with pytest.raises((ConnectionError, AssertionError)):
            await stream.begin_write("too late").settled()
