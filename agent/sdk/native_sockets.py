"""The native SDK's signal connections, which send at once.

Attributes, tracks and offers go to the server over a WebSocket, for which the SDK leaves Nagle's
algorithm on (livekit-net, native/proxy.rs, `connect_async`): what follows something that the server
has not acknowledged yet stays here until it has, and a server that has nothing to answer does so
after 40 ms. Docs: docs/adr/0025-signal-connections-send-at-once.md.

The SDK has no option for this, nor does it say which socket is a connection's. So all TCP sockets
of the process get the option; those of asyncio have it anyhow.
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

    2 µs for each open file of the process. Where files are not listed, nothing is done.
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
        # By its number alone, which is nobody's to close. What is no TCP socket refuses it.
        set_option(
            file, socket.IPPROTO_TCP, socket.TCP_NODELAY, ctypes.byref(yes), ctypes.sizeof(yes)
        )
