"""DATABASE_URL as people write it; what is secret in it stays so."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.errors import InvalidValueError, UnavailableError
from agent.history.open_history import open_history
from agent.testing.history_samples import asked, everything

PASSWORD = "s3cr%40t"  # noqa: S105 - opens nothing


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgres://me:{PASSWORD}@db.example:5433/chat", "postgresql://db.example:5433/chat"),
        (
            f"postgresql://me:{PASSWORD}@db.example/chat?sslmode=require",
            "postgresql://db.example/chat",
        ),
        (f"postgresql+asyncpg://me:{PASSWORD}@[::1]/chat", "postgresql://::1/chat"),
        (
            f"postgresql+psycopg2://db.example/chat?password={PASSWORD}",
            "postgresql://db.example/chat",
        ),
        ("postgresql:///chat", "postgresql://localhost/chat"),
        ("postgresql:///chat?host=/run/postgresql", "postgresql:///run/postgresql/chat"),
        (
            f"postgresql://me:{PASSWORD}@%2Frun%2Fpostgresql/chat",
            "postgresql:///run/postgresql/chat",
        ),
    ],
)
def test_postgres(text: str, shown: str) -> None:
    url = DatabaseUrl.parse(f" {text}\n")
    assert url.url.drivername == "postgresql+psycopg"
    assert url.file is None
    assert str(url) == shown
    for said in (str(url), repr(url), repr(url.url)):
        assert "s3cr" not in said or "password=" in text


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("sqlite:///data/agent.db", Path("data/agent.db")),
        ("sqlite:////var/lib/agent.db", Path("/var/lib/agent.db")),
        ("sqlite+aiosqlite:///agent.db", Path("agent.db")),
        ("sqlite:///with space/ü.db", Path("with space/ü.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_sqlite(text: str, file: Path | None) -> None:
    url = DatabaseUrl.parse(text)
    assert url.url.drivername == "sqlite+pysqlite"
    assert url.file == file


@pytest.mark.parametrize(
    "text",
    [
        "",
        "agent.db",
        f"me:{PASSWORD}@db.example/chat",
        f"mysql://me:{PASSWORD}@db.example/chat",
        f"postgresql://me:{PASSWORD}@db.example:port/chat",
        f"sqlite://me:{PASSWORD}@db.example/chat",
        "sqlite://data/agent.db",
    ],
)
def test_others_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(InvalidValueError, match="expected sqlite:///") as refused:
        DatabaseUrl.parse(text)
    assert "s3cr" not in str(refused.value)
    assert refused.value.__cause__ is None


LIBPQ: list[tuple[str, dict[str, object]]] = [
    (
        "sslmode=require&channel_binding=require",
        {"sslmode": "require", "channel_binding": "require"},
    ),
    ("ssl=require", {"sslmode": "require"}),
    ("ssl=true", {"sslmode": "require"}),
    ("ssl=False", {"sslmode": "disable"}),
    ("ssl=verify-full&sslrootcert=system", {"sslmode": "verify-full", "sslrootcert": "system"}),
    ("ssl=no-verify&uselibpqcompat=true", {"sslmode": "require"}),
    ("pgbouncer=true&connection_limit=1&pool_timeout=10", {}),
    ("sslmode=require&sslaccept=accept_invalid_certs", {"sslmode": "require"}),
    ("prepared_statement_cache_size=0&statement_cache_size=0", {}),
    ("pool=5&encoding=unicode&prepared_statements=false", {"client_encoding": "utf8"}),
    ("connect_timeout=15&supa=base-pooler.x", {"connect_timeout": "15"}),
    ("timeout=7.5", {"connect_timeout": "8"}),
    ("target_session_attrs=any", {"target_session_attrs": "any"}),
    ("targetServerType=master", {"target_session_attrs": "primary"}),
    ("ApplicationName=x&prepareThreshold=0", {"application_name": "x"}),
    ("options=endpoint%3Dcool", {"options": "endpoint=cool"}),
]


@pytest.mark.parametrize(("query", "options"), LIBPQ)
def test_options_of_other_drivers_are_translated(query: str, options: dict[str, object]) -> None:
    for scheme in ("postgres", "postgresql+asyncpg", "postgresql"):
        assert (
            dict(DatabaseUrl.parse(f"{scheme}://me@db.example/chat?{query}").url.query) == options
        )


@pytest.mark.parametrize(
    ("query", "schemas"),
    [
        ("schema=chat", ("chat",)),
        ("currentSchema=chat,public", ("chat", "public")),
        ('search_path="chat", public', ("chat", "public")),
    ],
)
def test_the_schema_is_none_of_libpqs_options(query: str, schemas: tuple[str, ...]) -> None:
    url = DatabaseUrl.parse(f"postgresql://db.example/chat?{query}")
    assert (url.schemas, dict(url.url.query)) == (schemas, {})


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sslmod=require", "the option sslmod is not known: did you mean sslmode?"),
        ("statement_timeout=5", "the option statement_timeout is not known"),
        ("sslmode=on", "expected one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("ssl=maybe", "expected one of disable, .* as ssl"),
        ("sslaccept=strict", "expected one of disable, .* as sslaccept"),
        ("target_session_attrs=rw", "expected one of any, read-write"),
        ("connect_timeout=soon", "expected a whole number as connect_timeout"),
        ("schema=a%3Bdrop", "expected names of schemas as schema"),
        ("sslmode=require&sslmode=disable", "the option sslmode is there twice"),
        (f"passwort={PASSWORD}", "the option passwort is not known: did you mean password?"),
    ],
)
def test_an_option_that_nothing_takes_is_named(query: str, said: str) -> None:
    with pytest.raises(InvalidValueError, match=f"DATABASE_URL: {said}") as refused:
        DatabaseUrl.parse(f"postgresql://me:{PASSWORD}@db.example/chat?{query}")
    assert "s3cr" not in str(refused.value)


def test_several_hosts_are_written_as_for_libpq() -> None:
    url = DatabaseUrl.parse(f"postgresql://me:{PASSWORD}@a.example:5433,b.example/chat?ssl=true")
    assert url.url.query == {"host": ("a.example:5433", "b.example"), "sslmode": "require"}
    assert (url.url.username, url.url.password, url.url.database) == ("me", "s3cr@t", "chat")
    assert str(url) == "postgresql://a.example:5433,b.example/chat"


async def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        url = f"postgres://me:{PASSWORD}@127.0.0.1:{port}/chat"
        database = Database(DatabaseUrl.parse(url))
        with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}/chat") as failed:
            await database.read(lambda connection: connection.scalar(text("SELECT 1")))
        await database.aclose()
    assert "s3cr" not in str(failed.value)
    assert failed.value.__suppress_context__


async def test_a_history_in_memory_lasts_as_long_as_it_is_open() -> None:
    history = open_history("sqlite://")
    await history.migrate()
    for number in range(3):
        await history.add_message(asked(str(number)))
    assert len(await everything(history)) == 3
    await history.aclose()


async def test_the_default_is_a_file_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    history = open_history()
    assert not (tmp_path / "data").exists(), "nothing is opened before it is used"
    await history.migrate()
    await history.aclose()
    assert (tmp_path / "data" / "agent.db").is_file()


def test_heavy_packages_are_imported_on_demand() -> None:
    program = (
        "import sys, agent.history.open_history, agent.history.message;"
        "print([name for name in ('sqlalchemy', 'alembic', 'psycopg') if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.strip() == "[]"
