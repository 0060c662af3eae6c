"""DATABASE_URL in the forms that people write it in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from agent.history.errors import InvalidValueError
from agent.history.postgres_options import PostgresOptions

_EXPECTED: Final = (
    "DATABASE_URL: expected sqlite:///path/to/file.db or postgresql://user:password@host/database"
)
_SQLITE: Final = "sqlite+pysqlite"
_POSTGRES: Final = "postgresql+psycopg"
_DRIVERS: Final = {"sqlite": _SQLITE, "postgresql": _POSTGRES, "postgres": _POSTGRES}

_SEVERAL_HOSTS: Final = re.compile(
    r"(?P<head>[^:/?#]+://(?:[^@/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)"
)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The database of the history. Its representations leave out the password.

    Attributes:
        url: for SQLAlchemy, with the drivers that the project has (Python's sqlite3, psycopg 3).
        schemas: the Postgres schemas of the tables; empty: the user's default.
    """

    url: URL = field(repr=False)
    schemas: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `sqlite:`, `postgres:` and `postgresql:` URLs, whatever driver they name.

        Raises:
            InvalidValueError: anything else; the text is not quoted, for it may hold a password.
        """
        try:
            url = make_url(_with_hosts_as_options(text.strip()))
        except (ArgumentError, ValueError):
            raise InvalidValueError(_EXPECTED) from None
        kind = url.drivername.partition("+")[0]
        driver = _DRIVERS.get(kind)
        if driver is None:
            raise InvalidValueError(f"{_EXPECTED}, got {kind}:")
        url = url.set(drivername=driver)
        if driver == _SQLITE:
            if url.host or url.username or url.password:
                raise InvalidValueError(f"{_EXPECTED}; a path to a file has three slashes before")
            return cls(url)
        if url.host and "%2f" in url.host.lower():
            # libpq's way to name the directory of a Unix socket.
            directory = unquote(url.host)
            url = url._replace(host=None).update_query_dict({"host": directory})
        options = PostgresOptions.of(url.query)
        return cls(url.set(query=options.for_libpq), options.schemas)

    @property
    def is_sqlite(self) -> bool:
        return self.url.drivername == _SQLITE

    @property
    def system(self) -> str:
        """The kind of database, as OpenTelemetry names it."""
        return "sqlite" if self.is_sqlite else "postgresql"

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None: it has none."""
        name = self.url.database
        if not self.is_sqlite or not name or name == ":memory:" or name.startswith("file:"):
            return None
        return Path(name)

    def __str__(self) -> str:
        """For people and logs: without user, password and options."""
        if self.is_sqlite:
            return f"sqlite:///{self.url.database or ':memory:'}"
        host = self.url.host or self.url.query.get("host", "localhost")
        if not isinstance(host, str):
            host = ",".join(host)
        port = f":{self.url.port}" if self.url.port else ""
        return f"postgresql://{host}{port}/{self.url.database or ''}"


def _with_hosts_as_options(text: str) -> str:
    """`//a:5432,b/name`, as libpq writes several hosts, in SQLAlchemy's form: `///name?host=…`."""
    found = _SEVERAL_HOSTS.match(text)
    if found is None:
        return text
    rest, _, query = text[found.end() :].partition("?")
    hosts = "&".join(f"host={host}" for host in found["hosts"].split(","))
    return f"{found['head']}{rest}?{hosts}{'&' if query else ''}{query}"
