"""INSERT in the form that both databases know.

SQLAlchemy's ON CONFLICT, of each dialect, is compiled again each time: that takes as long as the
rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Column, Table, TextClause, bindparam, text


def insert_new(table: Table, *names: str) -> TextClause:
    """Adds a row with these columns, unless there is one with its key."""
    return typed(
        f"INSERT INTO {table.name} ({', '.join(names)}) "  # noqa: S608 - names of ours
        f"VALUES ({places(names)}) ON CONFLICT DO NOTHING",
        {name: table.c[name] for name in names},
    )


def places(names: Iterable[str]) -> str:
    """Parameters that are called as their columns are."""
    return ", ".join(f":{name}" for name in names)


def typed(statement: str, columns: Mapping[str, Column[Any]]) -> TextClause:
    """A statement whose parameters are converted like the values of these columns."""
    return text(statement).bindparams(
        *(bindparam(name, type_=column.type) for name, column in columns.items())
    )
