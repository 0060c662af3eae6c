"""The report of a run: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bench.figures import ROWS, Figures, Row, medians

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.run import Run

_VERDICTS = {True: "holds", False: "FAILS", None: ""}


def table(rounds: Sequence[Figures], subject: str) -> str:
    """A Markdown table: a column for each peer, with its medians; the median of the rounds' ratios,
    what `subject` must reach, and whether it does."""
    figures = medians(rounds)
    names = list(figures)
    head = ["measure", *names, f"{subject}, times", "must reach", ""]
    lines = [head, ["---"] * len(head)]
    for row in ROWS:
        ours = [_number(figures[name].get(row.key)) for name in names]
        verdict = _VERDICTS[row.holds(rounds, subject)]
        lines.append(
            [f"{row.what} ({row.unit})", *ours, _ratio(row, rounds, subject), _aim(row), verdict]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def failing(rounds: Sequence[Figures], subject: str) -> list[Row]:
    """The rows that do not hold."""
    return [row for row in ROWS if row.holds(rounds, subject) is False]


def document(run: Run, subject: str) -> dict[str, Any]:
    """A whole run, in the form of its JSON file."""
    figures = medians(run.rounds)
    return {
        "at": run.at,
        "seconds": round(run.seconds, 1),
        "roomServer": run.server,
        "machine": {
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1),
        },
        "versions": {name: version(name) for name in ("livekit", "livekit-agents", "openrtc")},
        "subject": subject,
        "rows": [
            {
                "key": row.key,
                "what": row.what,
                "unit": row.unit,
                "figures": {name: of[row.key] for name, of in figures.items() if row.key in of},
                "limit": row.limit,
                "bound": row.bound(figures),
                "ratio": row.median_ratio(run.rounds, subject),
                "holds": row.holds(run.rounds, subject),
            }
            for row in ROWS
        ],
        "rounds": run.rounds,
    }


def write(run: Run, subject: str, path: Path) -> None:
    """Writes the JSON."""
    path.write_text(json.dumps(document(run, subject), indent=1) + "\n")


def held(rounds: Sequence[Figures], subject: str) -> str:
    """In how many rounds each failed row still holds."""
    lines: list[str] = []
    for row in failing(rounds, subject):
        times = sum(bool(row.holds([figures], subject)) for figures in rounds)
        lines.append(f"{row.what}: holds in {times} of {len(rounds)}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(row: Row, rounds: Sequence[Figures], subject: str) -> str:
    ratio = row.median_ratio(rounds, subject)
    return "" if ratio is None else f"{ratio:.2f}"


def _aim(row: Row) -> str:
    if row.limit is None:
        return ""
    sign = "≥" if row.more_is_better else "≤"
    if not row.against:
        return f"{sign} {row.limit:g} {row.unit}"
    whose = "the better" if len(row.against) > 1 else "".join(row.against)
    times = f"1/{1 / row.limit:.0f}" if row.limit < 1 else f"{row.limit:g}"
    return f"{sign} {times} of {whose}"
