"""Patience: how long calls wait for their responses."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator


class _Clock:
    """A timeout that can stand still."""

    def __init__(self, timeout: asyncio.Timeout, seconds: float) -> None:
        self._timeout = timeout
        self._left = seconds

    def go_on(self) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._left)

    def stand_still(self) -> None:
        when = self._timeout.when()
        if when is not None and not self._timeout.expired():
            self._left = when - asyncio.get_running_loop().time()
            self._timeout.reschedule(None)


class Patience:
    """While a tool that was called asks somebody here, calls wait as long as that takes: the agent
    has a timeout for its questions."""

    def __init__(self) -> None:
        self._questions = 0
        self._clocks: set[_Clock] = set()

    @contextlib.contextmanager
    def asked(self) -> Generator[None]:
        """Somebody is asked inside this block."""
        self._questions += 1
        for clock in self._clocks:
            clock.stand_still()
        try:
            yield
        finally:
            self._questions -= 1
            if not self._questions:
                for clock in self._clocks:
                    clock.go_on()

    @contextlib.asynccontextmanager
    async def limit(self, seconds: float) -> AsyncGenerator[None]:
        """Raises TimeoutError where the block takes longer, without the time of questions."""
        async with asyncio.timeout(None) as timeout:
            clock = _Clock(timeout, seconds)
            self._clocks.add(clock)
            try:
                if not self._questions:
                    clock.go_on()
                yield
            finally:
                self._clocks.remove(clock)
