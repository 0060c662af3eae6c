"""An embedded LiveKit-compatible room server, for development and tests.

Never for production: it has no TURN, no cluster and no protection against a hostile network.
"""

from .faults import Faults
from .limits import Limits
from .listeners import RoomListener
from .packets import ForwardedPacket, PacketRecord
from .participant import Participant
from .room import Room
from .server import RoomServer

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
