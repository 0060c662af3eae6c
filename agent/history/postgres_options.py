"""Options of a Postgres URL, as the drivers of many languages name them, for libpq."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.history.errors import InvalidValueError

_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": _SSL_MODES,
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "sslnegotiation": ("postgres", "direct"),
    "load_balance_hosts": ("disable", "random"),
    "target_session_attrs": (
        *("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
}
_NUMBERS: Final = frozenset(
    {
        *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval"),
        *("keepalives_count", "tcp_user_timeout"),
    }
)

_LIBPQ: Final = frozenset(
    {
        *_CHOICES,
        *_NUMBERS,
        *("host", "hostaddr", "port", "user", "password", "passfile", "options"),
        *("application_name", "fallback_application_name", "client_encoding", "require_auth"),
        *("sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir", "sslsni"),
        *("sslcertmode", "ssl_min_protocol_version", "ssl_max_protocol_version"),
        *("requirepeer", "krbsrvname", "gsslib", "gssdelegation", "service"),
    }
)
"""Options of libpq that a history can use (its manual, 34.1.2)."""

_IGNORED: Final = frozenset(
    {
        # Prepared statements, which are off here.
        *("pgbouncer", "prepared_statement_cache_size", "prepared_statement_name_func"),
        *("statement_cache_size", "statement_cache_mode", "statement_cache_capacity"),
        *("prepared_statements", "prepareThreshold", "preparedStatementCacheQueries"),
        *("default_query_exec_mode", "binary_parameters", "prepare_threshold"),
        # Pools, which have a size of their own here.
        *("connection_limit", "pool_timeout", "pool", "pool_size", "pool_recycle", "max_overflow"),
        *("pool_max_conns", "pool_min_conns", "pool_max_conn_lifetime", "pool_max_conn_idle_time"),
        *("min_size", "max_size", "checkout_timeout", "reaping_frequency", "idle_timeout"),
        *("conn_max_age", "conn_health_checks"),
        # Other limits and marks of services.
        *("socket_timeout", "command_timeout", "socketTimeout", "tcpKeepAlive", "adapter"),
        *("supa", "workaround", "uselibpqcompat", "async_fallback", "native_datetime"),
        "reconnect",
    }
)
"""Options that change neither the database nor the safety of the connection."""


def _ssl_mode(value: str) -> str:
    value = value.lower()
    if value in _TRUE or value in {"no-verify", "accept_invalid_certs"}:
        return "require"
    return "disable" if value in _FALSE else value


def _seconds(value: str) -> str:
    try:
        return str(max(1, round(float(value))))
    except (ValueError, OverflowError):
        return value


def _server_type(value: str) -> str:
    names = {"master": "primary", "slave": "standby", "secondary": "standby"}
    names |= {"preferSecondary": "prefer-standby", "preferSlave": "prefer-standby"}
    return names.get(value, value)


def _utf8(_: str) -> str:
    return "utf8"


def _random(value: str) -> str:
    return "random" if value.lower() in _TRUE else "disable"


_TRANSLATED: Final[Mapping[str, tuple[str, Callable[[str], str]]]] = {
    "ssl": ("sslmode", _ssl_mode),
    "tls": ("sslmode", _ssl_mode),
    "sslaccept": ("sslmode", _ssl_mode),
    "timeout": ("connect_timeout", _seconds),
    "connectTimeout": ("connect_timeout", _seconds),
    "encoding": ("client_encoding", _utf8),
    "charset": ("client_encoding", _utf8),
    "ApplicationName": ("application_name", str),
    "targetServerType": ("target_session_attrs", _server_type),
    "loadBalanceHosts": ("load_balance_hosts", _random),
}
_SCHEMA: Final = frozenset({"schema", "search_path", "currentSchema", "schema_search_path"})
_SCHEMA_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """Attributes:
    for_libpq: options by libpq's names.
    schemas: where tables are, first to last; empty: where the user's are.
    """

    for_libpq: Mapping[str, str | tuple[str, ...]]
    schemas: tuple[str, ...] = ()

    @classmethod
    def of(cls, query: Mapping[str, str | tuple[str, ...]]) -> PostgresOptions:
        """Translates what other drivers call differently, and leaves out what does not matter.

        Raises:
            InvalidValueError: naming an option that is not known, or whose value is wrong.
        """
        options: dict[str, str | tuple[str, ...]] = {}
        schemas: tuple[str, ...] = ()
        for name, value in query.items():
            if name in _IGNORED:
                continue
            if name in {"host", "port"}:
                options[name] = value
                continue
            if not isinstance(value, str):
                raise InvalidValueError(f"DATABASE_URL: the option {name:.40} is there twice")
            if name in _SCHEMA:
                schemas = _schemas(name, value)
            elif name in _TRANSLATED:
                translated, translate = _TRANSLATED[name]
                options.setdefault(translated, _checked(name, translated, translate(value)))
            elif name in _LIBPQ:
                options[name] = _checked(name, name, value)
            else:
                raise InvalidValueError(_unknown(name))
        return cls(options, schemas)


def _schemas(name: str, value: str) -> tuple[str, ...]:
    schemas = tuple(part.strip().strip('"') for part in value.split(","))
    if not all(_SCHEMA_NAME.match(schema) for schema in schemas):
        raise InvalidValueError(f"DATABASE_URL: expected names of schemas as {name}")
    return schemas


def _checked(given: str, name: str, value: str) -> str:
    choices = _CHOICES.get(name)
    if choices is not None and value not in choices:
        raise InvalidValueError(f"DATABASE_URL: expected one of {', '.join(choices)} as {given}")
    if name in _NUMBERS and not re.fullmatch(r"\d{1,9}", value):
        raise InvalidValueError(f"DATABASE_URL: expected a whole number as {given}")
    return value


def _unknown(name: str) -> str:
    known = _LIBPQ | _IGNORED | _SCHEMA | _TRANSLATED.keys()
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    hint = f": did you mean {near[0]}?" if near else ""
    return f"DATABASE_URL: the option {name:.40} is not known{hint}"
