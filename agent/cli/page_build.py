"""PageBuild: the page of `dev`, which is built from web/ and client/ when it is first used."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.cli.node_programs import NEEDED, find_node
from agent.processes.child_process import bound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

CHECKOUT: Final = Path(__file__).resolve().parents[2]

INSTALLING_TAKES: Final = 300.0
BUILDING_TAKES: Final = 180.0
WAITING_TAKES: Final = INSTALLING_TAKES + BUILDING_TAKES
"""Timeouts in seconds; the last one is for another process that is building the same page."""

ASKING_AGAIN: Final = 0.2
"""Seconds between attempts: nothing signals that another process has released a lock."""

_NPM_CI: Final = (
    # Vite is there for development: with NODE_ENV=production npm would leave it out.
    *("ci", "--include=dev"),
    *("--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"),
    *("--fetch-retries=1", "--fetch-timeout=30000"),
)
_VITE_PROGRAM: Final = "node_modules/vite/bin/vite.js"
_VITE: Final = ("node", _VITE_PROGRAM, "build", "--logLevel=error")

KEPT_FOR: Final = 86_400.0
"""Seconds since its last use for which a former build is kept: another `dev` may serve it."""

_SECRET_ENDS: Final = ("_KEY", "_PASSWORD", "_SECRET", "_TOKEN")
_SECRETS: Final = frozenset({"DATABASE_URL", "MCP_SERVERS", "WEBHOOK_URLS"})
"""Other files that packages from npm do not need."""


class PageBuildError(Exception):
    """There is no page; the text says why, and what to do about it."""


class PageBuild:
    """The page's files, in a directory of web/dist named after a hash of what it is made of.

    Attributes:
        files: where they are; None until they are there.
        progress: what is being done, in a sentence.
        problem: why the build failed; None unless it did.
    """

    def __init__(self, environ: Mapping[str, str], checkout: Path = CHECKOUT) -> None:
        self.files: Path | None = None
        self.progress = "Looking for the page."
        self.problem: str | None = None
        self._environ = {
            name: value
            for name, value in environ.items()
            if name not in _SECRETS and not name.endswith(_SECRET_ENDS)
        }
        self._web = checkout / "web"
        self._client = checkout / "client"

    @property
    def has_sources(self) -> bool:
        """Whether this is a checkout: the installed package has no page."""
        return (self._web / "package.json").is_file()

    async def run(self, say: Callable[[str], None]) -> None:
        """Builds the page unless that is done. Failures are printed, and kept in `problem`."""
        try:
            self.files = await self._built(say)
        except (PageBuildError, OSError) as error:
            self.problem = str(error)
            say(f"page: {error}")

    async def _built(self, say: Callable[[str], None]) -> Path:
        place = self._web / "dist" / self._digest()
        if place.is_dir():
            # A read-only directory is served too.
            with contextlib.suppress(OSError):
                os.utime(place)
            return place
        async with self._locked():
            if place.is_dir():
                return place
            programs = await find_node(self._environ)
            if programs is None:
                raise PageBuildError(f"it takes {NEEDED} with npm, on PATH or from `make setup`")
            if self._must_install():
                self._tell(say, "installing its packages, once, for about a minute")
                npm_ci = (*programs.npm, *_NPM_CI)
                failure = "npm cannot install its packages"
                await self._do(npm_ci, programs.environ, INSTALLING_TAKES, failure)
                self._installed().parent.mkdir(exist_ok=True)
                self._installed().write_text(self._lock_digest())
            self._tell(say, "it is being built")
            await self._vite(place, programs.environ)
            self._tell(say, "built")
        return place

    async def _vite(self, place: Path, environ: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".building-") as directory:
            made = Path(directory) / "page"
            command = (*_VITE, "--outDir", str(made))
            await self._do(command, environ, BUILDING_TAKES, "it cannot be built")
            for former in place.parent.glob("[0-9a-f]*"):
                if time.time() - former.stat().st_mtime > KEPT_FOR:
                    shutil.rmtree(former)
            made.rename(place)

    def _tell(self, say: Callable[[str], None], progress: str) -> None:
        self.progress = f"The page: {progress}."
        say(f"page: {progress}")

    async def _do(
        self, command: tuple[str, ...], environ: Mapping[str, str], takes: float, failure: str
    ) -> None:
        """Runs a program in web/ to its end; it ends with this process at the latest."""
        process = await asyncio.create_subprocess_exec(
            *bound(command),
            cwd=self._web,
            env={**environ, "PYTHONPATH": str(CHECKOUT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(takes):
                output, _ = await process.communicate()
        except TimeoutError:
            raise PageBuildError(f"{failure}: not finished in {takes:.0f} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode != 0:
            raise PageBuildError(
                f"{failure}; `dev` tries again when it is started.\n{_beginning(output)}"
            )

    @contextlib.asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        """Holds the lock on web/: one process at a time builds there."""
        directory = self._web / "dist"
        directory.mkdir(exist_ok=True)
        file = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            async with asyncio.timeout(WAITING_TAKES):
                while True:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        self.progress = "The page is being built by another process."
                        await asyncio.sleep(ASKING_AGAIN)
            yield
        except TimeoutError:
            raise PageBuildError("another process has been building it for too long") from None
        finally:
            os.close(file)

    def _installed(self) -> Path:
        return self._web / "node_modules" / ".installed-lock"

    def _must_install(self) -> bool:
        if not (self._web / _VITE_PROGRAM).is_file():
            return True
        try:
            return self._installed().read_text() != self._lock_digest()
        except FileNotFoundError:
            return True

    def _lock_digest(self) -> str:
        return hashlib.sha256((self._web / "package-lock.json").read_bytes()).hexdigest()

    def _digest(self) -> str:
        """A hash of all files that the page is built from: 16 hex digits."""
        digest = hashlib.sha256()
        for path in self._sources():
            digest.update(f"{path.relative_to(self._web.parent)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def _sources(self) -> Iterator[Path]:
        names = (
            "index.html",
            "package.json",
            "package-lock.json",
            "tsconfig.json",
            "vite.config.ts",
        )
        yield from (self._web / name for name in names)
        for folder in (self._web / "src", self._web / "public", self._client / "src"):
            yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _beginning(output: bytes) -> str:
    """The first lines of what a program wrote when it failed; npm's usage comes after them."""
    lines = output.decode(errors="replace").strip().splitlines()
    return "\n".join(line for line in lines if " warn " not in line)[:1_000]
