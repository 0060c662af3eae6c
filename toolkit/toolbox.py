"""The tools of a worker, and their shared resources."""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeVar, cast

import aiohttp

from toolkit.cache import Cache
from toolkit.call_slots import CallSlots
from toolkit.caller import Caller
from toolkit.context import ToolContext
from toolkit.errors import NotFound, Unavailable
from toolkit.http_session import open_session
from toolkit.settings import ToolSettings
from toolkit.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

logger = logging.getLogger(__name__)

V = TypeVar("V")


class Toolbox:
    """Tools by name, with the HTTP session and the caches that they share.

    Use it as an async context manager, on one event loop; leaving it closes its resources.

    Raises:
        ValueError: two tools have the same name.
    """

    def __init__(
        self,
        tools: "Iterable[Tool]",
        settings: "ToolSettings",
        *,
        more: "Callable[[], Iterable[Tool]] | None" = None,
        _shared: "_Shared | None" = None,
    ) -> None:
        """`more` returns the tools that come and go; one whose name is taken is ignored."""
        self.settings = settings
        self._more = more
        self._shared = _shared or _Shared()
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"two tools are called {tool.name}")
            self._tools[tool.name] = tool

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __iter__(self) -> "Iterator[Tool]":
        return iter(self._by_name().values())

    def __len__(self) -> int:
        return len(self._by_name())

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' wire names, in the order they were given."""
        return tuple(self._by_name())

    def only(self, names: "Collection[str]") -> "Toolbox":
        """The tools of these names, with the same session and caches; unknown names are ignored."""
        more = self._more
        return Toolbox(
            (tool for tool in self._tools.values() if tool.name in names),
            self.settings,
            more=more and (lambda: (tool for tool in more() if tool.name in names)),
            _shared=self._shared,
        )

    def with_tools(self, tools: "Iterable[Tool]") -> "Toolbox":
        """These tools besides its own, with the same session and caches: those of one room.

        Raises:
            ValueError: two tools have the same name.
        """
        both = (*self._tools.values(), *tools)
        return Toolbox(both, self.settings, more=self._more, _shared=self._shared)

    def get(self, name: str) -> "Tool":
        """The tool with this wire name; raises NotFound."""
        try:
            return self._by_name()[name]
        except KeyError:
            raise NotFound("No such tool") from None

    def _by_name(self) -> "dict[str, Tool]":
        if self._more is None:
            return self._tools
        tools = dict(self._tools)
        for tool in self._more():
            tools.setdefault(tool.name, tool)
        return tools

    async def call(
        self, name: str, arguments: "Mapping[str, object]", caller: Caller | None = None
    ) -> str:
        """Calls a tool by its wire name: `Tool.call` with this toolbox's context."""
        return await self.get(name).call(arguments, self.context(caller))

    def context(self, caller: Caller | None = None) -> ToolContext:
        """The context for `Tool.call`; raises Unavailable once the toolbox is closed."""
        if self._shared.closed:
            raise Unavailable("Shutting down")
        if self._shared.http is None:
            self._shared.http = open_session(self.settings.proxy_for)
        return ToolContext(self, self.settings, self._shared.http, caller)

    def cache(self, kind: type[V], *, ttl: float, size: int) -> Cache[V]:
        """The toolbox's one cache for values of this type, made when it is first asked for.

        Args:
            kind: the type of the values; use a type of your own.
            ttl: seconds that a value is kept.
            size: how many values are kept.
        """
        cache = self._shared.caches.get(kind)
        if cache is None:
            cache = self._shared.caches[kind] = Cache[object](ttl=ttl, size=size)
        return cast("Cache[V]", cache)

    def slots(self, name: str, limit: int) -> CallSlots:
        """The call slots of a tool, shared by all who share this toolbox's caches."""
        slots = self._shared.slots.get(name)
        if slots is None:
            slots = self._shared.slots[name] = CallSlots(name, limit)
        return slots

    def watch(self, changed: "Callable[[], None]") -> "Callable[[], None]":
        """Registers a callback for tools that come or go; call the result to unregister it."""
        watchers = self._shared.watchers
        watchers.append(changed)
        return lambda: watchers.remove(changed)

    def tell_watchers(self) -> None:
        """Call it when tools have come or gone."""
        for changed in tuple(self._shared.watchers):
            try:
                changed()
            except Exception:
                # The boundary around one room: the others must be notified, too.
                logger.exception("updating the tools of a room failed")

    async def aclose(self) -> None:
        """Ends look-ups under way and closes the HTTP session; calls after it are refused."""
        self._shared.closed = True
        for cache in self._shared.caches.values():
            await cache.aclose()
        if self._shared.http is not None:
            await self._shared.http.close()


@dataclass(slots=True)
class _Shared:
    """The common part of a toolbox and its selections."""

    caches: dict[type, Cache[object]] = field(default_factory=dict[type, Cache[object]])
    slots: dict[str, CallSlots] = field(default_factory=dict[str, CallSlots])
    watchers: "list[Callable[[], None]]" = field(default_factory=list["Callable[[], None]"])
    http: aiohttp.ClientSession | None = None
    closed: bool = False
