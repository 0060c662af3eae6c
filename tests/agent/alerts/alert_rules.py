"""The rules of deploy/grafana, asked what they say of two scrapes of a worker."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.programs import find

RULES: Final = Path("deploy/grafana/alerts.yaml").resolve()
MINUTES: Final = 60

Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""A name and its labels."""


@dataclass(frozen=True)
class Scrape:
    """The samples of a page, and which of them are gauges."""

    samples: Mapping[Series, float]
    gauges: frozenset[Series]

    def value(self, name: str, **labels: str) -> float:
        """Of a series of ours; 0 where there is none."""
        return self.samples.get((f"room_agent_{name}", tuple(sorted(labels.items()))), 0.0)

    @classmethod
    def of(cls, text: str) -> Scrape:
        samples: dict[Series, float] = {}
        gauges: set[Series] = set()
        for family in text_string_to_metric_families(text):
            for each in family.samples:
                series = (each.name, tuple(sorted(each.labels.items())))
                samples[series] = each.value
                if family.type == "gauge":
                    gauges.add(series)
        return cls(samples, frozenset(gauges))


NOTHING: Final = Scrape({}, frozenset())
"""Where nothing answers."""


class AlertRules:
    """Plays an hour in which every minute is like the time between two scrapes: gauges stay as they
    are in the later one, and counters grow by as much again."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "alerts.test.json"
        program = find("promtool")
        if program is None:
            pytest.skip("promtool is not there (make setup-deploy)")
        self._program = program

    def fires(self, alert: str, before: Scrape, after: Scrape) -> None:
        """The alert fires, whatever else does."""
        query = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0'
        self._play(before, after, query, [{"labels": "{}", "value": 1}])

    def are_silent(self, before: Scrape, after: Scrape, *, but: str) -> None:
        """No alert is pending or fires, those of a regular expression left aside."""
        self._play(before, after, f'ALERTS{{alertname!~"{but}"}}', [])

    def _play(self, before: Scrape, after: Scrape, query: str, expected: list[object]) -> None:
        asked = {"expr": query, "eval_time": "50m", "exp_samples": expected}
        played = {
            "interval": "1m",
            "input_series": [_input(series, before, after) for series in after.samples],
            "promql_expr_test": [asked],
        }
        # JSON is YAML.
        content = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [played]}
        self._file.write_text(json.dumps(content))
        done = subprocess.run(  # noqa: S603 - a program of this machine
            [self._program, "test", "rules", str(self._file)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _input(series: Series, before: Scrape, after: Scrape) -> dict[str, str]:
    name, labels = series
    value = after.samples[series]
    since = before.samples.get(series, 0.0)
    grows = 0.0 if series in after.gauges else max(0.0, value - since)
    begins = value if series in after.gauges else since
    every = [("instance", "agent:8081"), *labels]
    selected = ",".join(f"{label}={json.dumps(text)}" for label, text in every)
    return {"series": f"{name}{{{selected}}}", "values": f"{begins:f}+{grows:f}x{MINUTES}"}
