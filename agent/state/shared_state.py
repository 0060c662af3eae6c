"""SharedState: the JSON document of one conversation."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from agent.history.errors import HistoryError, UnavailableError
from agent.history.message import ThreadKey
from agent.history.states import States, StoredState
from agent.state.json_patch import DocumentTooLargeError, PatchError, TestFailedError, apply
from agent.state.json_pointer import PointerError, parse, value_at
from agent.tasks import Tasks
from toolkit.errors import Conflict, InvalidArguments, NotFound, TooLarge, Unavailable

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts to store it while the database is unavailable; the pause doubles."""

CLOSE_TIMEOUT: Final = 3.0

RETRY_AFTER: Final = 5.0

OnChange = Callable[[int, Sequence[object]], None]
"""Called with the new revision, and the patch that made it."""


class SharedState:
    """Loaded on first use, changed by one patch at a time, and stored in the background.

    Its errors are those of tools: they reach the tool or the RPC caller that uses it.
    """

    def __init__(
        self, states: States, thread: ThreadKey, *, max_bytes: int, on_change: OnChange
    ) -> None:
        """`max_bytes`: of its JSON."""
        self._states = states
        self._thread = thread
        self._max_bytes = max_bytes
        self._on_change = on_change
        self._document: Any = {}
        self._text = "{}"
        self._revision = 0
        self._stored = 0
        self._is_loaded = False
        self._loading = asyncio.Lock()
        self._closing = asyncio.Event()
        self._tasks = Tasks()
        self._task: asyncio.Task[None] | None = None

    async def get(self, pointer: str = "") -> object:
        """A copy of the value at a JSON pointer, by default of the whole document. Raises NotFound,
        InvalidArguments, Unavailable."""
        _, value = await self.read(pointer)
        return value

    async def read(self, pointer: str = "") -> tuple[int, object]:
        """The same with the revision."""
        await self._loaded()
        try:
            tokens = parse(pointer)
        except PointerError as error:
            raise InvalidArguments.of({"pointer": str(error)}) from None
        try:
            value = value_at(self._document, tokens)
        except PointerError as error:
            raise NotFound(f"State: {error}") from None
        return self._revision, json.loads(self._text if not tokens else json.dumps(value))

    async def patch(self, *operations: object) -> int:
        """Applies all operations, or none; returns the new revision. Raises as `change`."""
        return await self.change(operations)

    async def change(self, patch: Sequence[object], *, expected: int | None = None) -> int:
        """Applies a patch (RFC 6902); returns the new revision.

        Args:
            expected: the revision that the patch was made for; None: any.

        Raises:
            InvalidArguments: an operation is malformed, or points to nothing.
            Conflict: a `test` fails, or the revision is another one.
            TooLarge: the document would be.
            Unavailable: it cannot be read from the database now.
        """
        await self._loaded()
        if expected is not None and expected != self._revision:
            raise Conflict(f"The state is at revision {self._revision}")
        try:
            document, text = apply(self._document, patch, max_bytes=self._max_bytes)
        except TestFailedError as error:
            raise Conflict(f"State: {error}") from None
        except DocumentTooLargeError as error:
            raise TooLarge(f"State: {error}") from None
        except PatchError as error:
            raise InvalidArguments.of({"patch": str(error)}) from None
        if text == self._text:
            return self._revision
        self._document, self._text = document, text
        self._revision += 1
        self._on_change(self._revision, patch)
        if self._task is None or self._task.done():
            self._task = self._tasks.keep(self._store, name="shared state")
        return self._revision

    async def aclose(self) -> None:
        """Tries for CLOSE_TIMEOUT seconds to store it."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=CLOSE_TIMEOUT)
        await self._tasks.aclose()
        if self._stored < self._revision:
            logger.error(
                "database unavailable at shutdown; the last changes of a shared state are lost"
            )

    async def _loaded(self) -> None:
        if self._is_loaded:
            return
        async with self._loading:
            if self._is_loaded:
                return
            try:
                stored = await self._states.load(self._thread)
            except UnavailableError:
                raise Unavailable(
                    "The state cannot be read right now", retry_after=RETRY_AFTER
                ) from None
            self._text, self._revision = stored.document, stored.revision
            self._document = json.loads(self._text)
            self._stored = self._revision
            self._is_loaded = True

    async def _store(self) -> None:
        pause = FIRST_PAUSE
        while self._stored < self._revision:
            state = StoredState(self._revision, self._text)
            try:
                await self._states.save(self._thread, state)
            except HistoryError as error:
                logger.warning("shared state not stored, will retry: %s", error)
            except Exception:
                # The boundary of the store: whatever fails in it, the room goes on without storage.
                logger.exception("storing a shared state failed unexpectedly")
            else:
                self._stored = state.revision
                pause = FIRST_PAUSE
                continue
            if self._closing.is_set():
                return
            try:
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            except TimeoutError:
                pause = min(pause * 2, LONGEST_PAUSE)
