"""Requests to the native SDK without detours.

For each request the SDK (livekit/rtc/_ffi_client.py, FfiClient.request) casts pointers, and gives
the response back by way of a handle that it enters in a register first: a third of what a request
takes in Python. Each chunk of an answer is such a request.

All that leans on the SDK's private parts for this stands in this file. tests/agent/
test_native_requests.py holds the SDK to it; where the SDK is another one, it is left as it is.
"""

from __future__ import annotations

import ctypes
import logging
import os
from typing import TYPE_CHECKING, Final

from livekit.rtc._ffi_client import INVALID_HANDLE, FfiClient
from livekit.rtc._proto.ffi_pb2 import FfiRequest, FfiResponse

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

_REQUEST: Final = ctypes.CFUNCTYPE(
    ctypes.c_uint64,
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_size_t),
)
_DROP: Final = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_uint64)
"""Gives up the interpreter's lock, as the request does: another thread may be telling Python of an
event, and wait for that lock, while it has what this has to wait for (livekit-ffi, server/mod.rs:
handles are in a map with locks)."""


def install() -> None:
    """Has the SDK make its requests so from now on, and starts its native library.

    Where the SDK is not the one that this was made for, it is left as it is, and the log says so.
    """
    client = FfiClient.instance
    if "request" in vars(client):
        return
    library = getattr(client, "_ffi_lib", None)
    if not isinstance(library, ctypes.CDLL) or not isinstance(getattr(client, "_pid", None), int):
        logger.warning("unknown livekit SDK version; using its own requests")
        return
    setattr(client, "request", _requester(library, client.request))  # noqa: B010 - a method


def _requester(
    library: ctypes.CDLL, as_the_sdk: Callable[[FfiRequest], FfiResponse]
) -> Callable[[FfiRequest], FfiResponse]:
    make_request = _REQUEST(("livekit_ffi_request", library))
    drop = _DROP(("livekit_ffi_drop_handle", library))
    process = os.getpid()

    def request(req: FfiRequest) -> FfiResponse:
        if os.getpid() != process:
            return as_the_sdk(req)  # Which says why that cannot be.
        data = req.SerializeToString()
        address, length = ctypes.c_void_p(), ctypes.c_size_t()
        handle = make_request(data, len(data), ctypes.byref(address), ctypes.byref(length))
        if handle == INVALID_HANDLE:
            # As the SDK has it: its callers know by this that the native half refused.
            raise AssertionError("the native library refused the request")
        try:
            return FfiResponse.FromString(ctypes.string_at(address.value or 0, length.value))
        finally:
            drop(handle)

    return request
