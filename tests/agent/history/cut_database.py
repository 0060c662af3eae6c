"""A database that the test takes away and gives back."""

from __future__ import annotations

import asyncio

from agent.history.database import USE_TIMEOUT, Database, Result, Work
from agent.history.database_url import DatabaseUrl
from agent.history.errors import UnavailableError


class CutDatabase(Database):
    """A database behind a line that can be cut.

    Attributes:
        away: it cannot be reached.
        confirms: while False, the line breaks between a commit and its confirmation.
        open: while it is not set, writes wait.
        refused: set when something was asked for while it was away.
        asked: set when a write has been asked for.
        fails: numbers of the writes that fail, as `writes` counts them.
        writes: how many write transactions were begun.
    """

    def __init__(self, url: str) -> None:
        super().__init__(DatabaseUrl.parse(url))
        self.away = False
        self.confirms = True
        self.open = asyncio.Event()
        self.open.set()
        self.refused = asyncio.Event()
        self.asked = asyncio.Event()
        self.writes = 0
        self.fails = set[int]()

    async def read(self, work: Work[Result]) -> Result:
        self._check()
        return await super().read(work)

    async def write(self, work: Work[Result], timeout: float = USE_TIMEOUT) -> Result:  # noqa: ASYNC109 - as in Database
        self._check()
        self.asked.set()
        await self.open.wait()
        self.writes += 1
        if self.writes in self.fails:
            raise UnavailableError("the line broke before the commit")
        result = await super().write(work, timeout)
        if not self.confirms:
            raise UnavailableError("the line broke")
        return result

    def _check(self) -> None:
        if self.away:
            self.refused.set()
            raise UnavailableError("the line is cut")
