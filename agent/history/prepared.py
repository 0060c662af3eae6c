"""Prepared: a statement that every turn needs, with the least overhead."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, TextClause, Update

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as SQLite's driver takes it.

    Attributes:
        parameters: names in their order, with what their values are converted by.
        given: values that stand in the statement itself.
    """

    text: str
    parameters: tuple[tuple[str, Convert | None], ...]
    given: Mapping[str, Any]

    def values(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        merged = {**self.given, **values}
        return tuple(
            merged[name] if convert is None else convert(merged[name])
            for name, convert in self.parameters
        )


class Prepared:
    """A statement that is always given values of the same names.

    On SQLite it is compiled once, and goes to the driver itself: SQLAlchemy takes several times as
    long for a statement as SQLite does. On Postgres that is negligible beside the round trip.
    """

    def __init__(self, statement: TextClause | Update) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    def first(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row that it returns, if any; its columns must be numbers or truth values.

        Raises:
            DBAPIError: as `Connection.execute` does.
        """
        if connection.dialect.name != "sqlite":
            row = connection.execute(self._statement, dict(values)).first()
            return None if row is None else tuple(row)
        if self._compiled is None:
            self._compiled = _compile(self._statement, connection.dialect, values)
        driver = sqlite_driver(connection)
        with driver_errors():
            rows = driver.execute(self._compiled.text, self._compiled.values(values)).fetchall()
        return rows[0] if rows else None


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(f"no connection to SQLite: {type(driver).__name__}")
    return driver


@contextlib.contextmanager
def driver_errors() -> Generator[None]:
    """Raises the driver's errors as SQLAlchemy does, without quoting messages."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(None, None, error, sqlite3.Error, hide_parameters=True) from error


def _compile(
    statement: TextClause | Update, dialect: Dialect, values: Mapping[str, Any]
) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=list(values))
    names = compiled.positiontup or ()
    return _Compiled(
        str(compiled),
        tuple(
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in names
        ),
        compiled.params,
    )
