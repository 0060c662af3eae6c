"""`eval`: runs conversations with an app, and reports how many passed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.command import WRONG_SETTINGS, AppOption, CommandError, run, show
from agent.cli.target import DOTENV, with_app
from agent.config.environment import settle
from agent.config.settings_error import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.testing.evaluation import Run, Summary
    from agent.testing.scenario import Scenario

_NOT_PASSED_ON = (
    *("LIVEKIT_", "AGENT_NAME", "DATABASE_URL", "ATTACHMENTS_DIR", "HTTP_PORT"),
    *("REPLY_TOPICS", "WEBHOOK_"),
)
"""Variables that conversations of a test override, or that would report them to others."""


def evaluate(
    files: Annotated[list[Path], typer.Argument(help="YAML files, see docs/testing.md.")],
    app: AppOption = None,
    times: Annotated[
        int, typer.Option("--times", "-n", min=1, help="How often each scenario runs.")
    ] = 1,
    bound: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the runs in each file that must pass.")
    ] = 1.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write results to this file.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Write results to this file as JUnit XML.")
    ] = None,
) -> None:
    """Run conversations with an app; status 1 if fewer of them pass than --bound says."""
    # As `start` does: also the packages of the app find their keys.
    settle(os.environ, DOTENV)
    run(_evaluate(files, with_app(os.environ, app), times, bound, json_file, junit))


async def _evaluate(
    files: Sequence[Path],
    environ: dict[str, str],
    times: int,
    bound: float,
    json_file: Path | None,
    junit: Path | None,
) -> None:
    # See agent/cli/__init__.py.
    from agent.app.app_error import AppError  # noqa: PLC0415
    from agent.default_app import app_of  # noqa: PLC0415
    from agent.testing import evaluation  # noqa: PLC0415
    from agent.testing.app_test import NoRoomServerError  # noqa: PLC0415
    from agent.testing.scenario import Scenario, ScenarioError  # noqa: PLC0415

    given = {k: v for k, v in environ.items() if not k.startswith(_NOT_PASSED_ON)}
    try:
        chosen = app_of(environ.get("APP", ""))
        scenarios = [Scenario.read(path) for path in files]
        _check_names(files, scenarios)
        runs = await evaluation.evaluate(chosen, scenarios, times, given)
    except SettingsError as error:
        raise CommandError("\n".join(error.problems), WRONG_SETTINGS) from None
    except (AppError, ScenarioError) as error:
        raise CommandError(str(error), WRONG_SETTINGS) from None
    except NoRoomServerError as error:
        raise CommandError(str(error)) from None
    summaries = evaluation.summarise(runs)
    _show(runs, summaries)
    for file, text in ((json_file, evaluation.as_json), (junit, evaluation.as_junit)):
        if file is not None:
            _write(file, text(runs))
    failed = [each.scenario for each in summaries if each.rate < bound]
    if failed:
        raise CommandError(f"below {bound:.0%}: {', '.join(failed)}")


def _check_names(files: Sequence[Path], scenarios: Sequence[Scenario]) -> None:
    """Raises CommandError: the results of two files would be counted as one's."""
    named: dict[str, Path] = {}
    for file, scenario in zip(files, scenarios, strict=True):
        former = named.setdefault(scenario.name, file)
        if former is not file:
            raise CommandError(
                f"{former} and {file} are both called {scenario.name}: give one another name",
                WRONG_SETTINGS,
            )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None


def _show(runs: Sequence[Run], summaries: Sequence[Summary]) -> None:
    for each in runs:
        for problem in each.problems:
            show(f"{each.scenario}: {problem}")
    width = max(len("scenario"), *(len(each.scenario) for each in summaries))
    show(f"{'scenario':{width}}  passed   rate     p50  longest  tokens in/out")
    for each in summaries:
        show(
            f"{each.scenario:{width}}  {each.passed:3}/{each.runs:<3} {each.rate:5.0%}"
            f"  {each.p50:5.2f}s  {each.longest:6.2f}s  {each.tokens_in}/{each.tokens_out}"
        )
