"""A private Postgres server for the tests: Debian's package, in a directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

PATIENCE: Final = 30
_UNPRIVILEGED: Final = "nobody"
_SMALL_DISK: Final = "192m"
"""Twice what an empty server takes; it is full soon."""
_WAL_DISK: Final = "48m"
_WAL: Final = "-c min_wal_size=2MB -c max_wal_size=8MB"

_OTHERS_LEAVE: Final = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SCHEMAS: Final = r"""
SELECT nspname FROM pg_namespace
WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
"""


class NoPostgresError(Exception):
    """There is no server to start here; the text says why."""


class PostgresServer:
    """One server on loopback, which can be stopped and started again on its port."""

    def __init__(
        self, directory: Path, *, primary: PostgresServer | None = None, wal: Path | None = None
    ) -> None:
        """Creates its data in a directory, which gets the owner that the server runs as.

        Args:
            primary: a running server whose standby this one is.
            wal: an empty directory for its write-ahead log, in files of 1 MB.

        Raises:
            NoPostgresError: it is not installed, or does not work here.
        """
        self._directory = directory
        self._port = _free_port()
        self._user: str | None = None
        if os.geteuid() == 0:
            # Postgres refuses to run as root.
            self._user = _UNPRIVILEGED
            for each in (directory, *([wal] if wal else [])):
                shutil.chown(each, _UNPRIVILEGED)
        self._data = str(directory / "data")
        self._free: list[str] = []
        """URLs of databases that are empty again."""
        self._options = _WAL if wal else ""
        if primary is None:
            options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
            more = ("-X", str(wal), "--wal-segsize=1") if wal else ()
            self._run("initdb", "--no-sync", *options, *more)
        else:
            self._run("pg_basebackup", "--no-sync", "-R", "-c", "fast", "-d", primary.url())

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self._port}"

    def url(self, database: str = "postgres") -> str:
        """The DATABASE_URL of one of its databases."""
        return f"postgresql://postgres@{self.address}/{database}"

    def start(self) -> None:
        """Returns when the server takes connections."""
        options = f"-p {self._port} -k {self._directory} -c fsync=off -c max_connections=40"
        log = str(self._directory / "log")
        self._run(
            "pg_ctl", "start", "-w", "-l", log, "-o", f"{options} -h 127.0.0.1 {self._options}"
        )

    def stop(self, *, crash: bool = False) -> None:
        """Cuts all connections and returns when the server is gone."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate" if crash else "fast")

    def promote(self) -> None:
        """Makes a standby a server that can be written to."""
        self._run("pg_ctl", "promote", "-w")

    def configure(self, setting: str, value: str) -> None:
        """Changes a setting of the running server, for its present connections, too."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            statement = sql.SQL("ALTER SYSTEM SET {} = {}")
            connection.execute(statement.format(sql.Identifier(setting), sql.Literal(value)))
            connection.execute("SELECT pg_reload_conf()")

    def create_database(self, name: str, options: str = "") -> str:
        """Makes an empty database; returns its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
            connection.execute(statement + sql.SQL(" " + options))  # pyright: ignore[reportArgumentType] - a test's own text
        return self.url(name)

    @contextlib.contextmanager
    def database(self) -> Generator[str]:
        """The URL of an empty database for one test. It is emptied for the next one: each has 300
        files, which take longer to make and to remove than most tests."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        url = self._free.pop() if self._free else self.create_database(name)
        yield url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_OTHERS_LEAVE)
            for (schema,) in connection.execute(_SCHEMAS).fetchall():
                dropped = sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema))
                connection.execute(dropped)
            connection.execute("CREATE SCHEMA public")
        self._free.append(url)

    def _run(self, program: str, *arguments: str) -> None:
        output = self._directory / f"{program}.log"
        with output.open("ab") as log:
            done = subprocess.run(  # noqa: S603 - a program of the system with the tests' own arguments
                [_program(program), "-D", self._data, *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                user=self._user,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
                timeout=PATIENCE,
            )
        if done.returncode != 0:
            lines = output.read_text(errors="replace").strip().splitlines() or ["no output"]
            raise NoPostgresError(f"{program} failed: {lines[-1]}")


@contextlib.contextmanager
def primary_and_standby() -> Generator[tuple[PostgresServer, PostgresServer]]:
    """Two running servers. Raises NoPostgresError."""
    with (
        # Not below pytest's directory: they may run as somebody else, who has no way into it.
        tempfile.TemporaryDirectory(prefix="pg-") as first,
        tempfile.TemporaryDirectory(prefix="pg-") as second,
        contextlib.ExitStack() as stack,
    ):
        primary = PostgresServer(Path(first))
        primary.start()
        stack.callback(_stop, primary)
        standby = PostgresServer(Path(second), primary=primary)
        standby.start()
        stack.callback(_stop, standby)
        yield primary, standby


@contextlib.contextmanager
def server_on_a_small_disk() -> Generator[tuple[PostgresServer, Path]]:
    """A running server, and the directory of the disk that it has for itself.

    Raises NoPostgresError, also where such a disk cannot be mounted.
    """
    with _disk(_SMALL_DISK) as disk, _running(PostgresServer(disk)) as server:
        yield server, disk


@contextlib.contextmanager
def server_with_a_small_wal() -> Generator[tuple[PostgresServer, Path]]:
    """A running server, and the directory of the disk that its write-ahead log has for itself.

    Raises NoPostgresError, also where such a disk cannot be mounted.
    """
    with _disk(_WAL_DISK) as disk, tempfile.TemporaryDirectory(prefix="pg-") as directory:
        disk.chmod(0o755)
        wal = disk / "wal"
        wal.mkdir()
        with _running(PostgresServer(Path(directory), wal=wal)) as server:
            yield server, disk


@contextlib.contextmanager
def _disk(size: str) -> Generator[Path]:
    """The directory of a disk of its own. Raises NoPostgresError."""
    with tempfile.TemporaryDirectory(prefix="pg-") as directory:
        mount = ("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory)
        if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:  # noqa: S603 - a program of the system
            raise NoPostgresError("a disk of its own needs root, to be mounted")
        try:
            yield Path(directory)
        finally:
            subprocess.run(("umount", directory), check=True)  # noqa: S603, S607 - as above


@contextlib.contextmanager
def _running(server: PostgresServer) -> Generator[PostgresServer]:
    server.start()
    try:
        yield server
    finally:
        _stop(server)


def _stop(server: PostgresServer) -> None:
    """Stops a server, which may have crashed."""
    with contextlib.suppress(NoPostgresError):
        server.stop(crash=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _program(name: str) -> str:
    """A program of the newest version installed. Raises NoPostgresError."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(versions, key=lambda path: float(path.parts[-3]), default=None)
    found = str(newest) if newest else shutil.which(name)
    if found is None:
        raise NoPostgresError(f"no {name} is installed (Debian: apt-get install postgresql)")
    return found
