"""A private PgBouncer for the tests: Debian's package, in front of their Postgres server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from tests.postgres import PATIENCE, NoPostgresError

_UNPRIVILEGED: Final = "nobody"

_CONFIGURATION = """
[databases]
* = host={host} port={port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_reset_query_always = 0
"""


@contextmanager
def pgbouncer(directory: Path, database_url: str) -> Generator[str]:
    """Runs it in transaction mode with three connections to the server; yields the database's URL
    through it.

    Raises:
        NoPostgresError: it is not installed.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise NoPostgresError("no pgbouncer is installed (Debian: apt-get install pgbouncer)")
    server = urlsplit(database_url)
    port = _free_port()
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(host=server.hostname, port=server.port, listen=port)
    )
    user = None
    if os.geteuid() == 0:
        # It refuses to run as root.
        user = _UNPRIVILEGED
        shutil.chown(directory, user)
        shutil.chown(configuration, user)
    with (directory / "pgbouncer.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - a program of the system
            [program, str(configuration)], stdout=log, stderr=log, user=user, cwd="/"
        )
    try:
        _wait_for(port, process)
        yield f"postgresql://postgres@127.0.0.1:{port}{server.path}"
    finally:
        process.kill()
        process.wait(PATIENCE)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or monotonic() > deadline:
                raise RuntimeError("pgbouncer does not start") from None
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
