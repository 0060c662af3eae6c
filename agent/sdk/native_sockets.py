"""The native SDK's signal connections, which send at once.

Attributes, tracks and offers go to the server over a WebSocket, for which the SDK leaves Nagle's
algorithm on (livekit-net, native/proxy.rs, `connect_async`): data after an unacknowledged segment
waits for the acknowledgement, which a server without a response delays by 40 ms. Docs:
docs/adr/0025-signal-connections-send-at-once.md.

The SDK has no option for this, nor does it say which socket is a connection's. So all TCP sockets
of the process get the option; those of asyncio have it anyway.
"""

from __future__ import annotations

import ctypes
import logging
import os
import socket
from typing import Final

from agent.sdk.patches import PROCESS

logger = logging.getLogger(__name__)

DESCRIPTORS: Final = "/dev/fd"
"""Lists the process's open files, on Linux and on macOS."""


def send_at_once() -> None:
    """Sets TCP_NODELAY on the TCP connections that exist now; call it after connecting.

    Takes 2 µs for each open file of the process. Without a list of open files it does nothing.
    """
    if not PROCESS.applies("sockets", fits=True, instead=""):
        return
    try:
        files = [int(name) for name in os.listdir(DESCRIPTORS)]
    except OSError as error:
        logger.debug("signal connection keeps its socket options: %s", error)
        return
    set_option = ctypes.CDLL(None).setsockopt
    yes = ctypes.c_int(1)
    for file in files:
        # Only by its number, without owning it. A file that is not a TCP socket refuses the option.
        set_option(
            file, socket.IPPROTO_TCP, socket.TCP_NODELAY, ctypes.byref(yes), ctypes.sizeof(yes)
        )
