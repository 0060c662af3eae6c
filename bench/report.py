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


def table(figures: Figures, subject: str) -> str:
    """A Markdown table: a column for each peer, what `subject` must reach, and whether it does."""
    names = list(figures)
    head = ["measure", *names, f"{subject}, times", "must reach", ""]
    lines = [head, ["---"] * len(head)]
    for row in ROWS:
        ours = [_number(figures[name].get(row.key)) for name in names]
        verdict = _VERDICTS[row.holds(figures, subject)]
        lines.append(
            [f"{row.what} ({row.unit})", *ours, _ratio(row, figures, subject), _aim(row), verdict]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def failing(figures: Figures, subject: str) -> list[Row]:
    """The rows that do not hold."""
    return [row for row in ROWS if row.holds(figures, subject) is False]


def document(run: Run, subject: str) -> dict[str, Any]:
    """All of a run, as it is written to JSON."""
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
                "bound": row.bound(figures),
                "ratio": row.ratio(figures, subject),
                "holds": row.holds(figures, subject),
            }
            for row in ROWS
        ],
        "rounds": run.rounds,
    }


def write(run: Run, subject: str, path: Path) -> None:
    """Writes the JSON."""
    path.write_text(json.dumps(document(run, subject), indent=1) + "\n")


def held(rounds: Sequence[Figures], subject: str) -> str:
    """In how many rounds each row that fails holds all the same."""
    lines = [
        f"{row.what}: holds in {sum(bool(row.holds(f, subject)) for f in rounds)} of {len(rounds)}"
        for row in failing(medians(rounds), subject)
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(row: Row, figures: Figures, subject: str) -> str:
    ratio = row.ratio(figures, subject)
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
