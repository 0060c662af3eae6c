"""`python -m agent migrate`."""

from __future__ import annotations

from tests.agent.cli.command_line import CommandLine


async def test_makes_the_schema_and_then_finds_it(bare: CommandLine) -> None:
    first = await bare.run("migrate")
    second = await bare.run("migrate")

    assert (first.status, second.status) == (0, 0)
    assert first.stdout.startswith("sqlite:///data/agent.db: empty -> ")
    assert "is up to date" in second.stdout
    assert (bare.directory / "data" / "agent.db").is_file()


async def test_says_what_is_wrong_in_one_line_and_keeps_the_password(bare: CommandLine) -> None:
    wrong = await bare.run("migrate", DATABASE_URL="mysql://user:hunter2@localhost/agent")
    away = await bare.run("migrate", DATABASE_URL="postgresql://user:hunter2@127.0.0.1:9/agent")

    assert wrong.status == 2
    assert "DATABASE_URL: expected a URL that starts with sqlite:///" in wrong.stderr
    assert away.status == 1
    assert "postgresql://127.0.0.1:9/agent cannot be used" in away.stderr
    assert "hunter2" not in wrong.stderr + away.stderr
