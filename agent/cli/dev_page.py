"""The page of `dev`: its server, and its build in the background."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.cli.command import show
from agent.cli.page_build import PageBuild
from agent.cli.page_server import serving_page
from agent.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from agent.cli.target import Target


@dataclass(frozen=True, slots=True)
class DevPageOptions:
    """Whether there is to be a page, and whether `dev` opens it in a browser."""

    serves: bool = True
    opens: bool = False


@dataclass(frozen=True, slots=True)
class DevPage:
    """A page that is served at `url`, and may still be being built."""

    url: str
    build: PageBuild

    @property
    def state(self) -> str:
        """In a few words for the terminal."""
        if self.build.problem:
            return "it says what is missing"
        return "" if self.build.files else "being built, ready in a moment"


@contextlib.asynccontextmanager
async def dev_page(
    options: DevPageOptions, target: Target, environ: Mapping[str, str]
) -> AsyncGenerator[DevPage | None]:
    """Serves the page, at once; what it is made of is built beside everything else.

    There is none where it is not wanted, and in an installed package, which has no sources of it.
    """
    build = PageBuild(environ)
    if not (options.serves and build.has_sources):
        yield None
        return
    tasks = Tasks()
    async with serving_page(build, target) as server:
        begun = False

        def say(progress: str) -> None:
            nonlocal begun
            if not begun:
                begun = True
                show(f"page: {server.url}, which shows how far it is")
            show(progress)

        tasks.start(build.run(say), name="build the page")
        try:
            yield DevPage(server.url, build)
        finally:
            await tasks.aclose()
