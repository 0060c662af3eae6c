from __future__ import annotations

import json
import logging

import pytest
from livekit.agents import log as livekit_log
from livekit.agents.cli.log import JsonFormatter as LiveKitFormatter

from agent.processes.json_log import JsonFormatter


def record(*, region: str = "") -> logging.LogRecord:
    try:
        raise OSError("away")
    except OSError as error:
        thrown = (type(error), error, error.__traceback__)
    made = logging.LogRecord(
        "some.name", 40, "some/file.py", 7, "%d of é", (3,), thrown, "function"
    )
    if region:
        made.region = region
    return made


@pytest.mark.parametrize("region", ["", "eu"])
def test_records_are_those_of_the_workers(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    assert hasattr(livekit_log, "_deployed_region"), "who adds the region?"
    monkeypatch.setenv("LIVEKIT_REGION_NAME", region)
    ours, theirs = JsonFormatter(), LiveKitFormatter()
    said = json.loads(ours.format(record()))
    assert said == json.loads(theirs.format(record(region=region))) | {
        "timestamp": said["timestamp"]
    }
