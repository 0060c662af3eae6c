"""A run as a picture: how much each peer needs, times what the worker needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import ROWS, Figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def comparison(figures: Figures, subject: str, path: Path) -> None:
    """Writes an SVG: a line for each row, a mark for each peer, and where the bound is."""
    from matplotlib import pyplot  # noqa: PLC0415 - the benchmark's own dependency

    rows = [row for row in ROWS if row.key in figures[subject]]
    figure, axes = pyplot.subplots(figsize=(9, 0.36 * len(rows) + 1.4))
    for name in figures:
        points = [
            (figures[name][row.key] / figures[subject][row.key], y)
            for y, row in enumerate(rows)
            if row.key in figures[name] and figures[subject][row.key]
        ]
        axes.plot(*zip(*points, strict=True), "o", label=name, markersize=6)
    for y, row in enumerate(rows):
        bound = row.bound(figures)
        if bound is not None and figures[subject][row.key]:
            x = bound / figures[subject][row.key]
            axes.plot([x, x], [y - 0.4, y + 0.4], color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [f"{row.what} ({row.unit})" for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"times {subject}; black: what it must reach")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.1), ncols=len(figures), frameon=False)
    figure.savefig(path, bbox_inches="tight")
    pyplot.close(figure)


def curves(series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str, path: Path) -> None:
    """Writes an SVG of lines over a common x."""
    from matplotlib import pyplot  # noqa: PLC0415 - the benchmark's own dependency

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name, points in series.items():
        axes.plot(*zip(*points, strict=True), "o-", label=name)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, bbox_inches="tight")
    pyplot.close(figure)
