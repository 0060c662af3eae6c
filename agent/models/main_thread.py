"""OnMainThread: runs a function on the main thread, for code on the rooms' loop.

livekit-agents registers plugins on the main thread only.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

OnMainThread: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a function on the main thread of the process; returns when it has returned."""
