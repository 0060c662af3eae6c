"""The peers that the worker is measured against, among them itself with other settings."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Peer:
    """One worker to be measured.

    Attributes:
        command: how it is started.
        topic: of the answers that are read.
        workers: that register with the room server; without one, the peer is given its rooms.
        environ: its settings.
        has_rpc: whether it has the method `ping`.
    """

    name: str
    command: tuple[str, ...]
    topic: str = "lk.transcription"
    workers: int = 1
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    has_rpc: bool = False


def agent(name: str, processes: int, **environ: str) -> Peer:
    """This project's worker with so many processes and these settings."""
    return Peer(
        name,
        (sys.executable, "-m", "agent", "start", "--processes", str(processes)),
        topic=environ.get("REPLY_TOPICS", "llm-response").partition(",")[0],
        workers=processes,
        environ=environ,
        has_rpc=True,
    )


def is_installed(peer: Peer) -> bool:
    """Whether a peer of another language has its packages; the others come with development's."""
    return peer is not AGENTS_JS or (_HERE / "agents_js" / "node_modules").is_dir()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


FLOOR: Final = Peer("floor", (sys.executable, "-m", "bench.peers.floor"), workers=0, has_rpc=True)
STARTER: Final = Peer(
    "starter", (sys.executable, "-m", "livekit.agents", "start", str(_HERE / "starter.py"))
)
OPENRTC: Final = Peer("openrtc", (sys.executable, "-m", "bench.peers.openrtc", "start"))
AGENTS_JS: Final = Peer(
    "agents-js", (shutil.which("node") or "node", str(_HERE / "agents_js" / "worker.mjs"), "start")
)
"""The folder with the packages that `npm ci` has installed."""
AGENT: Final = agent("agent", _cores())

PEERS: Final[dict[str, Peer]] = {
    peer.name: peer
    for peer in (
        FLOOR,
        STARTER,
        OPENRTC,
        AGENTS_JS,
        AGENT,
        agent("agent-1-process", 1),
        agent("agent-1-topic", _cores(), REPLY_TOPICS="lk.transcription"),
    )
}
"""By name. `agent` has the default settings: a process for each core."""
