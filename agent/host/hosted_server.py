"""HostedServer: the AgentServer of a RoomHost, which it closes at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from agent.host.closing import ROOMS_LOOP, Closing
from agent.host.worker_server import WorkerServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.host.heartbeat import Heartbeat
    from agent.host.readiness import Readiness
    from agent.room.room_overview import RoomOverview


class _Owner(Protocol):
    def hasten(self, closing: Closing) -> None: ...

    async def aclose(self, closing: Closing | None = None) -> None: ...


class HostedServer(WorkerServer):
    """An AgentServer that closes its host at its end."""

    def __init__(
        self,
        heartbeats: Mapping[str, Heartbeat],
        readiness: Callable[[WorkerServer], Readiness],
        owner: _Owner,
        silence: float,
        take_samples: Callable[[Readiness], None],
        overviews: Callable[[], list[RoomOverview]],
        **options: Any,  # noqa: ANN401 - AgentServer's own
    ) -> None:
        super().__init__(heartbeats, silence=silence, **options)
        self._readiness_of = readiness
        self._owner = owner
        self._take_samples = take_samples
        self._overviews = overviews
        self.is_ending = False
        """Whether it leaves its rooms, because it ends."""

    def readiness(self) -> Readiness:
        return self._readiness_of(self)

    def sample(self) -> None:
        self._take_samples(self.readiness())

    def rooms(self) -> list[RoomOverview]:
        return self._overviews()

    async def aclose(self) -> None:
        self.is_ending = True
        closing = Closing()
        self._owner.hasten(closing)
        await closing.step(super().aclose(), "jobs", by=closing.rooms)
        await self._owner.aclose(closing)
        if not closing.overdue:
            self.ended()
        elif ROOMS_LOOP in closing.overdue:
            self.end_stuck()
