"""Requests made without detours come to the same; and the SDK is the one that this is for."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import os
import threading
from typing import TYPE_CHECKING

import pytest
from livekit import rtc
from livekit.rtc import _ffi_client
from livekit.rtc._ffi_client import FfiClient, FfiHandle
from livekit.rtc._proto.ffi_pb2 import FfiRequest

from agent.sdk import native_requests

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.conftest import Join


@pytest.fixture
def lean() -> Generator[FfiClient]:
    """The SDK's client as a worker has it."""
    native_requests.install()
    yield FfiClient.instance
    vars(FfiClient.instance).pop("request", None)


def resampler() -> FfiRequest:
    """A request that is answered at once."""
    request = FfiRequest()
    request.new_audio_resampler.SetInParent()
    return request


def to_nobody() -> FfiRequest:
    """A request about a stream that does not exist."""
    request = FfiRequest()
    request.text_stream_write.writer_handle = 1 << 60
    request.text_stream_write.text = "hello"
    return request


def test_the_sdk_makes_requests_as_this_knows_them() -> None:
    source = inspect.getsource(FfiClient.request)
    for part in ("livekit_ffi_request", "INVALID_HANDLE", "FfiHandle(handle).dispose()", "_pid"):
        assert part in source
    assert "livekit_ffi_drop_handle" in inspect.getsource(_ffi_client.FfiHandle.dispose)
    assert isinstance(FfiClient.instance._ffi_lib, ctypes.CDLL)  # pyright: ignore[reportPrivateUsage]


def test_they_are_made_so_once(lean: FfiClient) -> None:
    """Whoever asks for it again, as each host of a process does."""
    request = lean.request
    native_requests.install()
    assert lean.request is request


def test_an_answer_is_the_same(lean: FfiClient) -> None:
    plain, without = FfiClient.request(lean, resampler()), lean.request(resampler())

    handles = [answer.new_audio_resampler.resampler.handle.id for answer in (plain, without)]
    for handle in handles:
        FfiHandle(handle).dispose()
    assert plain.WhichOneof("message") == without.WhichOneof("message") == "new_audio_resampler"
    assert handles[0] != handles[1] != 0


def test_what_the_native_half_refuses_is_the_same_error(lean: FfiClient) -> None:
    with pytest.raises(AssertionError):
        FfiClient.request(lean, to_nobody())
    with pytest.raises(AssertionError, match="refused"):
        lean.request(to_nobody())


def test_threads_have_their_own_answers(lean: FfiClient) -> None:
    seen: list[int] = []

    def ask() -> None:
        for _ in range(200):
            answer = lean.request(resampler())
            seen.append(answer.new_audio_resampler.resampler.handle.id)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for handle in seen:
        FfiHandle(handle).dispose()
    assert len(set(seen)) == len(seen) == 800


def test_a_fork_is_told_what_the_sdk_tells_it(
    lean: FfiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="fork"):
        lean.request(resampler())


async def test_a_room_lives_on_them(lean: FfiClient, join: Join) -> None:
    """What is sent and answered in both directions, small and large."""
    assert "request" in vars(lean)
    heard = asyncio.Queue[str]()

    def read(reader: rtc.TextStreamReader, _: str) -> None:
        tasks.append(asyncio.ensure_future(pass_on(reader)))

    async def pass_on(reader: rtc.TextStreamReader) -> None:
        heard.put_nowait(await reader.read_all())

    tasks: list[asyncio.Future[None]] = []
    await join("bob", prepare=lambda room: room.register_text_stream_handler("t", read))
    room = await join("ana")
    async with asyncio.timeout(20):
        for text in ("", "hello", "é" * 100_000):
            await room.local_participant.send_text(text, topic="t")
            assert await heard.get() == text
        await room.local_participant.set_attributes({"a": "b"})
