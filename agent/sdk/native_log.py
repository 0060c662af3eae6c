"""The native SDK's own log, kept out of Python.

The SDK makes its native half pass on every record down to TRACE (livekit/rtc/_ffi_client.py,
`livekit_ffi_initialize` with `capture_logs`), and drops nearly all of them in Python: about 5,000
while a room is joined, and some with every packet. Here the native half keeps them. It writes the
important ones to standard error by itself, as `RUST_LOG` configures (Rust's env_logger;
livekit-ffi, server/logger.rs).

All code that relies on the SDK's private parts for this is in this file;
tests/agent/sdk/test_native_log.py checks them.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, Final

from livekit.rtc import _ffi_client

from agent.sdk.patches import PROCESS, mentions

DEBUG: Final = "LIVEKIT_RTC_DEBUG"
"""The SDK's own setting, under which the log is left as it is in the SDK."""

LEVELS: Final = ",".join(
    (
        "warn",
        "livekit::rtc_engine::rtc_session=off",
        "livekit::rtc_engine::peer_transport=error",
        "livekit_signaling=error",
    )
)
"""The filter unless RUST_LOG is set. It drops the warnings that each room causes when it is left:
its data channels are closed, and there is nothing to negotiate or to signal."""


def keep_native() -> None:
    """Keeps the records in the native library; call it before the library is used."""
    if os.environ.get(DEBUG, "").strip().lower() in {"1", "true"}:
        return
    if not PROCESS.applies(
        "log",
        fits=mentions(_ffi_client.FfiClient.__init__, "get_ffi_lib", "livekit_ffi_initialize")
        and callable(getattr(_ffi_client, "get_ffi_lib", None)),
        instead="every record of the native SDK comes to Python",
    ):
        return
    os.environ.setdefault("RUST_LOG", LEVELS)
    load = _ffi_client.get_ffi_lib
    if getattr(load, "keeps_its_log", False):
        return

    def load_quietly() -> ctypes.CDLL:
        library = load()
        quiet = _Initialize(library.livekit_ffi_initialize)
        setattr(library, "livekit_ffi_initialize", quiet)  # noqa: B010 - one of its functions
        return library

    setattr(load_quietly, "keeps_its_log", True)  # noqa: B010 - functions have no such attribute
    _ffi_client.get_ffi_lib = load_quietly


class _Initialize:
    """The native function, called without `capture_logs`."""

    def __init__(self, function: Any) -> None:  # noqa: ANN401 - of ctypes
        self.argtypes: list[object] = []
        self._function = function

    def __call__(self, *arguments: object) -> None:
        self._function.argtypes = self.argtypes
        if PROCESS.applies(
            "log",
            fits=len(arguments) == 4 and isinstance(arguments[1], bool),
            instead="every record of the native SDK comes to Python",
        ):
            callback, _, *about = arguments
            arguments = (callback, False, *about)
        self._function(*arguments)
