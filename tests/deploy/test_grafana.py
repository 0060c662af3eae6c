"""The dashboard and the alerts ask for metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from agent.telemetry.metric import Histogram
from agent.telemetry.metrics import METRICS
from tests.deploy.programs import find

FOLDER = Path("deploy/grafana")


def exposed() -> set[str]:
    """The names of all series, as Prometheus stores them."""
    names: set[str] = set()
    for name, metric in METRICS.items():
        endings = ("_bucket", "_sum", "_count") if isinstance(metric, Histogram) else ("",)
        names |= {name + ending for ending in endings}
    return names


def labels(query: str) -> set[str]:
    """Those that a query selects or groups by."""
    selected = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query)
    grouped = re.findall(r"\bby \(([^)]*)\)", query)
    return {*selected, *(each.strip() for group in grouped for each in group.split(","))}


def dashboard() -> dict[str, Any]:
    return json.loads((FOLDER / "dashboard.json").read_text())


def rules() -> list[dict[str, Any]]:
    read: Any = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    return cast("list[dict[str, Any]]", read["groups"][0]["rules"])


def queries() -> list[str]:
    panels = [
        target["expr"] for each in dashboard()["panels"] for target in each.get("targets", ())
    ]
    return [*panels, *(rule["expr"] for rule in rules())]


@pytest.mark.parametrize("query", queries())
def test_a_query_names_metrics_and_labels_that_there_are(query: str) -> None:
    names = set(re.findall(r"room_agent_\w+", query))
    assert names
    assert names <= exposed()
    known = {"instance", "le"}
    for name in names:
        metric = METRICS.get(name) or METRICS[re.sub("_(bucket|sum|count)$", "", name)]
        known |= set(metric.labels)
    assert labels(query) <= known


def test_every_metric_is_on_the_dashboard() -> None:
    text = json.dumps(dashboard())
    shown = {name for name in METRICS if name in text}
    assert set(METRICS) - shown <= {
        "room_agent_join_seconds",
        "room_agent_files_total",
        "room_agent_process_up",
    }


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    places = {(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels}
    assert len(places) == len(panels)


def test_every_alert_says_what_to_do_and_is_made_to_fire() -> None:
    tests: Any = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text())
    fired = {each["name"] for each in tests["tests"]}
    assert {rule["alert"] for rule in rules()} == fired - {"none"}
    for rule in rules():
        assert len(rule["annotations"]["action"]) > 40
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_promtool_makes_every_alert_fire() -> None:
    promtool = find("promtool")
    if promtool is None:
        pytest.skip("promtool is not there (make setup-deploy)")
    done = subprocess.run(  # noqa: S603 - a program of this machine
        [promtool, "test", "rules", "alerts.test.yaml"],
        cwd=FOLDER,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
