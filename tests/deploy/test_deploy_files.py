"""Compose file, Helm chart and systemd unit: what they set is a setting, and what they say fits."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config.settings import Settings
from tests.deploy.programs import find

DEPLOY = Path("deploy")
CHART = DEPLOY / "helm" / "room-agent"
TEMPLATE = ("template", "demo", str(CHART), "--kube-version", "1.31.0")
COMPOSE = DEPLOY / "compose" / "compose.yaml"
UNIT = DEPLOY / "systemd" / "room-agent.service"

AFTER_DRAINING = 15
"""Seconds that a process has to end after DRAIN_TIMEOUT (agent.processes.supervisor)."""


def read(path: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(path.read_text())


def render(*options: str) -> list[dict[str, Any]]:
    """The chart as Helm renders it."""
    done = helm(*TEMPLATE, *options)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("helm")
    if program is None:
        pytest.skip("helm is not installed")
    return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)  # noqa: S603 - a program of this machine


def of_kind(manifests: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [each for each in manifests if each["kind"] == kind]
    return found


def container(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def environment(manifests: list[dict[str, Any]]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(manifests)["env"]}


def test_compose_sets_settings_that_there_are() -> None:
    worker = read(COMPOSE)["services"]["agent"]
    values = {
        name: re.sub(r"\$\{[^}]*\}", "1", value) for name, value in worker["environment"].items()
    }
    assert set(values) <= Settings.names()
    values = {**values, "LIVEKIT_API_SECRET": "s" * 32, "OPENAI_BASE_URL": "http://model/v1"}
    settings = Settings.from_environment(values)
    assert settings.missing() == []
    with_a_replacement = (settings.processes + 1) * settings.memory_limit
    assert with_a_replacement <= int(worker["mem_limit"].removesuffix("m"))


def test_compose_runs_the_worker_without_rights_and_lets_it_drain() -> None:
    worker = read(COMPOSE)["services"]["agent"]
    assert worker["read_only"] is True
    assert worker["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in worker["security_opt"]
    grace = int(worker["stop_grace_period"].removesuffix("s"))
    assert grace >= Settings.model_fields["drain_timeout"].default + AFTER_DRAINING


def test_compose_names_only_files_and_variables_that_there_are() -> None:
    services = read(COMPOSE)["services"]
    volumes = set(read(COMPOSE)["volumes"])
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE.parent / source).exists(), source
            else:
                assert source in volumes
        for other in service.get("depends_on", {}):
            assert other in services
        image = service.get("image")
        assert image is None or not image.endswith(":latest")
    example = (COMPOSE.parent / ".env.example").read_text()
    known = set(re.findall(r"^#?([A-Z_]+)=", example, re.M))
    assert set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text())) == known


def test_the_unit_runs_the_worker_without_rights_and_lets_it_drain() -> None:
    unit = UNIT.read_text()
    values = dict(re.findall(r"^(\w+)=(.*)$", unit, re.M))
    grace = Settings.model_fields["drain_timeout"].default + AFTER_DRAINING
    assert int(values["TimeoutStopSec"]) >= grace
    # The supervisor alone gets SIGTERM, and the rest is killed in the end.
    assert values["KillMode"] == "mixed"
    assert (values["ProtectSystem"], values["NoNewPrivileges"]) == ("strict", "yes")
    environment = dict(each.split("=", 1) for each in values["Environment"].split())
    assert set(environment) <= Settings.names()
    processes, limit = int(environment["PROCESSES"]), int(environment["MEMORY_LIMIT"])
    assert (processes + 1) * limit <= 1024 * int(values["MemoryMax"].removesuffix("G"))


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    text = UNIT.read_text()
    text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.M)
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    done = subprocess.run(  # noqa: S603 - a program of this machine
        [program, "verify", str(unit)], check=False, capture_output=True, text=True
    )
    assert unit.name not in done.stderr, done.stderr


def test_helm_has_nothing_to_say() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["none", "hpa"])
def test_kubernetes_knows_the_manifests(kind: str, tmp_path: Path) -> None:
    program = find("kubernetes-validate")
    if program is None:
        pytest.skip("kubernetes-validate is not there (make setup-deploy, with a helm on PATH)")
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(yaml.safe_dump_all(render("--set", f"autoscaling.kind={kind}")))
    done = subprocess.run(  # noqa: S603 - a program of this machine
        [program, "--strict", "-k", "1.31", str(manifests)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_sets_settings_that_there_are() -> None:
    values = read(CHART / "values.yaml")
    assert set(values["settings"]) <= Settings.names()
    set_by_template = re.findall(
        r"\{name: ([A-Z_]+),", (CHART / "templates/deployment.yaml").read_text()
    )
    assert {"PROCESSES", "MEMORY_LIMIT", "DRAIN_TIMEOUT"} <= set(set_by_template)
    assert set(set_by_template) <= Settings.names()


@pytest.mark.parametrize(("limit", "processes", "most"), [("1600Mi", 2, 533), ("4Gi", 3, 1024)])
def test_the_limits_of_memory_fit_together(limit: str, processes: int, most: int) -> None:
    options = ("--set", f"processes={processes}", "--set", f"resources.limits.memory={limit}")
    set_for_pod = environment(render(*options))
    assert (set_for_pod["PROCESSES"], set_for_pod["MEMORY_LIMIT"]) == (str(processes), str(most))
    too_much = helm(*TEMPLATE, *options, "--set", f"memoryLimit={most + 1}")
    assert f"at most {most} fits" in too_much.stderr


def test_a_pod_has_no_rights_and_time_to_drain() -> None:
    manifests = render("--set", "drainTimeout=600")
    pod = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= 600 + AFTER_DRAINING
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container(manifests)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    budget = of_kind(manifests, "PodDisruptionBudget")["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    selector = of_kind(manifests, "Deployment")["spec"]["selector"]["matchLabels"]
    assert budget["selector"]["matchLabels"] == selector
    assert of_kind(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == selector


@pytest.mark.parametrize(
    ("kind", "made"), [("hpa", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")]
)
def test_it_scales_by_rooms(kind: str, made: str) -> None:
    manifests = render("--set", f"autoscaling.kind={kind}")
    assert "room_agent_rooms" in yaml.safe_dump(of_kind(manifests, made))
    assert "replicas" not in of_kind(manifests, "Deployment")["spec"]
    assert "expected none, hpa or keda" in helm(*TEMPLATE, "--set", "autoscaling.kind=cpu").stderr


def test_an_image_is_named_by_digest_where_there_is_one() -> None:
    digest = "sha256:" + "0" * 64
    assert container(render())["image"] == "livekit-room-agent:0.1.0"
    assert (
        container(render("--set", f"image.digest={digest}"))["image"]
        == f"livekit-room-agent@{digest}"
    )
