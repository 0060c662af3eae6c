"""Tests of patches run with all of them selected, whatever SDK_PATCHES says for the other tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from livekit.agents.ipc import proc_pool
from livekit.rtc._ffi_client import FfiClient

from agent.config.sdk_patches import PATCHES, selected_patches
from agent.sdk.patches import PROCESS

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(autouse=True)
def selected_for_the_test() -> Generator[None]:
    """Selects all patches, and removes what was installed if the other tests run without."""
    pool, queue = proc_pool.ProcPool, FfiClient.instance.queue
    PROCESS.select(PATCHES)
    yield
    chosen = selected_patches(os.environ.get("SDK_PATCHES", "on"))
    PROCESS.select(chosen)
    if not chosen:
        setattr(proc_pool, "ProcPool", pool)  # noqa: B010 - a class is no variable to type checkers
        FfiClient.instance._queue = queue  # pyright: ignore[reportPrivateUsage]
