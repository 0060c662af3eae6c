"""RoomContext: the parts of a server that its rooms and participants use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit.protocol import models

    from devserver.auth import Authenticator
    from devserver.data.packets import PacketRecord
    from devserver.faults import Faults
    from devserver.limits import Limits
    from devserver.tasks import TaskSet
    from devserver.timing import Delays


@dataclass(frozen=True, slots=True)
class RoomContext:
    """Shared by all rooms of one server, for as long as the server exists."""

    auth: Authenticator
    info: models.ServerInfo
    """The server's description for clients and workers."""
    limits: Limits
    faults: Faults
    packets: PacketRecord
    """Records every data packet that a room forwards."""
    tasks: TaskSet
    """Owns the background tasks; cancelled when the server stops."""
    delays: Delays
    empty_timeout: int
    """Seconds that a room which nobody joined stays, unless its creator says otherwise."""
    departure_timeout: int
    """Seconds that a room stays after the last one left, unless its creator says otherwise."""
