from __future__ import annotations

from datetime import datetime

import pytest

from tests.agent.cli.command_line import CommandLine

pytestmark = pytest.mark.usefixtures("worker")


async def test_answer_is_printed(agent: CommandLine, room_name: str) -> None:
    finished = await agent.run("call", "getCurrentTime", "--room", room_name)
    assert (finished.status, finished.stderr) == (0, "")
    assert datetime.fromisoformat(finished.stdout.strip()).tzinfo is not None


async def test_the_rooms_own_methods_can_be_called(agent: CommandLine, room_name: str) -> None:
    finished = await agent.run("call", "stopResponse", "--room", room_name)
    assert (finished.status, finished.stdout) == (0, '{"stopped":[]}\n')


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ("getWeather", '{"city": 5}'),
            [
                "400 Invalid arguments: city: should be a valid string",
                '{"fields": {"city": "should be a valid string"}}',
            ],
        ),
        (("riskyOperation", "data"), ["500 Operation failed"]),
        (("regenerate", '{"messageId": "unknown"}'), ["404 No such message"]),
        (("nothing",), ["1400 Method not supported at destination"]),
    ],
)
async def test_error_is_printed(
    agent: CommandLine, room_name: str, arguments: tuple[str, ...], lines: list[str]
) -> None:
    finished = await agent.run("call", *arguments, "--room", room_name)
    assert (finished.status, finished.stdout) == (1, "")
    assert finished.stderr.splitlines() == lines


async def test_long_answer_is_put_together(agent: CommandLine, room_name: str) -> None:
    long = "x" * 40_000
    payload = f'{{"data": "{long}"}}'
    finished = await agent.run("call", "riskyOperation", payload, "--room", room_name)
    assert (finished.status, finished.stderr) == (0, "")
    assert long in finished.stdout
