"""An embedded LiveKit-compatible room server, for development and tests.

Never for production: it has no TURN, no cluster and no protection against a hostile network.

Importing this package loads nothing; the room server and what it needs (aiortc) are loaded when a
name of it is first used. The demo model in `devserver.model` does without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devserver.data.packets import ForwardedPacket, PacketRecord
    from devserver.faults import Faults
    from devserver.limits import Limits
    from devserver.rooms.listeners import RoomListener
    from devserver.rooms.participant import Participant
    from devserver.rooms.room import Room
    from devserver.server import RoomServer

__all__ = [
    "Faults",
    "ForwardedPacket",
    "Limits",
    "PacketRecord",
    "Participant",
    "Room",
    "RoomListener",
    "RoomServer",
]

_MODULES = {
    "Faults": "devserver.faults",
    "ForwardedPacket": "devserver.data.packets",
    "Limits": "devserver.limits",
    "PacketRecord": "devserver.data.packets",
    "Participant": "devserver.rooms.participant",
    "Room": "devserver.rooms.room",
    "RoomListener": "devserver.rooms.listeners",
    "RoomServer": "devserver.server",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
