"""StoreMaker: the store of messages that an app brings, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from agent.app.app_error import AppError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.history.turn_store import TurnStore

_METHODS: Final = ("add", "save", "load", "newest", "threads")


class StoreMaker:
    """Makes the store once in each process, from what `App(history=…)` was given.

    Raises:
        AppError: what was given is neither a store nor a function that makes one.
    """

    def __init__(self, history: TurnStore | Callable[[], TurnStore]) -> None:
        self._given = history
        if isinstance(history, type) or not callable(history):
            _check(history)

    def __call__(self) -> TurnStore:
        """The store. Raises AppError if the function makes none, or cannot."""
        if isinstance(self._given, type) or callable(self._given):
            make = cast("Callable[[], TurnStore]", self._given)
            try:
                store = make()
            except Exception as error:
                # The boundary of the app's code, at the start of the worker.
                raise AppError(f"App: history could not be made: {error!r}") from error
            _check(store)
            return store
        return self._given


def _check(store: object) -> None:
    lacking = [name for name in _METHODS if not callable(getattr(store, name, None))]
    if lacking:
        name = getattr(store, "__name__", type(store).__name__)
        raise AppError(f"App: history is {name}, which has no {', '.join(lacking)}")
