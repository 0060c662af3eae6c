"""The image: rules that its Dockerfile keeps, and its install steps in a clean environment."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from agent.config.settings import Settings
from tests.dockerfile import Stage, read_dockerfile

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"
BIN = Path(sys.executable).parent

INSTALL_SECONDS = 300


@pytest.fixture
def stages() -> list[Stage]:
    return read_dockerfile(DOCKERFILE)


@pytest.fixture
def image(stages: list[Stage]) -> Stage:
    """The last stage: what runs."""
    return stages[-1]


def test_installs_in_one_stage_and_runs_in_another(stages: list[Stage], image: Stage) -> None:
    assert len(stages) == 2
    assert not re.search(r"\b(?:pip|uv|apt-get)\b", str(image.all("RUN")))
    assert [copy.options for copy in image.all("COPY")] == [(f"from={stages[0].name}",)]


def test_bases_are_pinned_by_digest(stages: list[Stage]) -> None:
    for stage in stages:
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", stage.base)
    assert len({stage.base for stage in stages}) == 1, "the environment is made for its Python"


def test_runs_as_a_user_without_rights(image: Stage) -> None:
    (user,) = image.all("USER")

    assert user.arguments.isdigit(), "Kubernetes' runAsNonRoot knows numbers only"
    assert int(user.arguments) >= 1000
    assert f"--uid {user.arguments}" in str(image.all("RUN"))
    after = image.instructions[image.instructions.index(user) :]
    assert not [each for each in after if each.name in {"RUN", "COPY", "ADD"}]


def test_starts_and_checks_without_a_shell(image: Stage) -> None:
    (command,) = image.all("CMD")
    (check,) = image.all("HEALTHCHECK")

    assert command.exec_form == ["python", "-m", "agent", "start"]
    assert check.arguments.startswith("CMD [")
    assert not image.all("ENTRYPOINT")


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
async def test_the_health_check_believes_the_worker(
    image: Stage, status: int, healthy: bool
) -> None:
    (check,) = image.all("HEALTHCHECK")
    code = json.loads(check.arguments.removeprefix("CMD "))[2]

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status)

    async with RawTestServer(answer) as worker, asyncio.timeout(20):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            code,
            env={"HTTP_PORT": str(worker.make_url("/").port)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert (await process.wait() == 0) is healthy


def test_the_default_health_port_is_the_settings_own(image: Stage) -> None:
    port = str(Settings.model_fields["http_port"].default)

    assert [each.arguments for each in image.all("EXPOSE")] == [port]
    assert f"'{port}'" in image.all("HEALTHCHECK")[0].arguments


def test_holds_no_secrets_and_names_no_index(stages: list[Stage]) -> None:
    text = DOCKERFILE.read_text()
    set_values = str(
        [each for stage in stages for name in ("ENV", "ARG") for each in stage.all(name)]
    )

    assert not re.search(r"(?i)secret|api_key|token|password", set_values)
    assert not re.search(r"(?i)index-url|https?://(?!127\.0\.0\.1)|ghcr|docker\.io|quay", text)


def test_copies_only_what_is_there_and_sent(stages: list[Stage]) -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()

    for copy in stages[0].all("COPY"):
        for source in copy.words[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source.rstrip('/')}" in sent
    assert not [each for stage in stages for each in stage.all("ADD")]
    assert "*" in sent, "whatever is not named stays out, .env and .git among it"


def test_uv_is_the_locked_one_by_its_hash(stages: list[Stage]) -> None:
    own, developers = (
        re.search(r"^uv==\S+", (ROOT / lock).read_text(), re.M)
        for lock in ("requirements-uv.lock", "requirements-dev.lock")
    )

    assert own
    assert developers
    assert own[0] == developers[0]
    installing = "pip install --no-cache-dir --require-hashes -r requirements-uv.lock"
    assert installing in str(stages[0].all("RUN"))


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
    if hadolint is None:
        pytest.skip("hadolint is not installed; the rules above hold without it")

    result = subprocess.run(  # noqa: S603 # a linter on a file of ours
        [hadolint, str(DOCKERFILE)], check=False, capture_output=True, text=True, timeout=30
    )

    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.lengthy
@pytest.mark.timeout(INSTALL_SECONDS)
def test_the_install_steps_give_a_worker_that_starts(stages: list[Stage], tmp_path: Path) -> None:
    """Runs the build stage's steps as they stand, but for fetching uv and compiling bytecode."""
    build = stages[0]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "UV_PYTHON": sys.executable,
        **build.arguments,
    }
    for each in build.instructions:
        if each.name == "COPY":
            *sources, _ = each.words
            for source in sources:
                copy(ROOT / source, tmp_path / source)
        elif each.name == "RUN" and "pip install" not in each.arguments:
            run(["/bin/sh", "-euc", each.arguments], tmp_path, environment)

    python = str(tmp_path / ".venv" / "bin" / "python")
    bare = {"PATH": "/usr/bin:/bin", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    imported = run(
        [python, "-c", "import agent.worker, sys; print('aiortc' in sys.modules)"], tmp_path, bare
    )
    unset = run([python, "-m", "agent", "start"], tmp_path, bare, status=2)

    assert imported.stdout.strip() == "False"
    assert "LIVEKIT_URL is not set" in unset.stderr
    assert not (tmp_path / "devserver").exists()


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def run(
    command: list[str], directory: Path, environment: dict[str, str], *, status: int = 0
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(  # noqa: S603 # commands of the Dockerfile
        command,
        cwd=directory,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    assert result.returncode == status, result.stdout + result.stderr
    return result
