"""The tools of a worker, and what they share."""

from typing import TYPE_CHECKING, Self, TypeVar, cast

import aiohttp

from tools.cache import Cache
from tools.context import Caller, ToolContext
from tools.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tools.settings import ToolSettings
    from tools.tool import Tool

V = TypeVar("V")


class Toolbox:
    """Tools by name, with the HTTP session and the caches that they share.

    Use it as an async context manager, on one event loop; leaving it closes what it owns.

    Raises:
        ValueError: two tools have the same name.
    """

    def __init__(self, tools: "Iterable[Tool]", settings: "ToolSettings") -> None:
        self.settings = settings
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are called {tool.name}")
            self._tools[tool.name] = tool
        self._caches: dict[type, Cache[object]] = {}
        self._http: aiohttp.ClientSession | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __iter__(self) -> "Iterator[Tool]":
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' wire names, in the order they were given."""
        return tuple(self._tools)

    def get(self, name: str) -> "Tool":
        """The tool with this wire name; raises NotFound."""
        try:
            return self._tools[name]
        except KeyError:
            raise NotFound("No such tool") from None

    async def call(
        self, name: str, arguments: "Mapping[str, object]", caller: Caller | None = None
    ) -> str:
        """Calls a tool by its wire name: `Tool.call` with this toolbox's context."""
        return await self.get(name).call(arguments, self.context(caller))

    def context(self, caller: Caller | None = None) -> ToolContext:
        """What `Tool.call` takes; raises Unavailable once the toolbox is closed."""
        if self._closed:
            raise Unavailable("Shutting down")
        if self._http is None:
            self._http = aiohttp.ClientSession()
        return ToolContext(self, self.settings, self._http, caller)

    def cache(self, kind: type[V], *, ttl: float, size: int) -> Cache[V]:
        """The toolbox's one cache for values of this type, made when it is first asked for.

        Args:
            kind: the type of the values; use a type of your own.
            ttl: seconds that a value is kept.
            size: how many values are kept.
        """
        cache = self._caches.get(kind)
        if cache is None:
            cache = self._caches[kind] = Cache[object](ttl=ttl, size=size)
        return cast("Cache[V]", cache)

    async def aclose(self) -> None:
        """Ends look-ups under way and closes the HTTP session; calls after it are refused."""
        self._closed = True
        for cache in self._caches.values():
            await cache.aclose()
        if self._http is not None:
            await self._http.close()
