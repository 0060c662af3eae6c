"""Pulse: measures the silence of a worker process's loops, for its supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.processes.report import LOOPS

if TYPE_CHECKING:
    from agent.processes.report import Loop, Report

LATE: Final = 3.0
"""Seconds between two checks above which the supervisor itself did not run. Then the silence is not
the worker's fault: the machine, the container or both processes were suspended."""

PATIENCE: Final[dict[Loop, int]] = {"main": 3, "rooms": 1}
"""The number of heartbeat timeouts that each loop is allowed. The main loop imports the models for
speech with the first microphone, for seconds, while the rooms go on."""


class Pulse:
    """Watches the beats of one worker process.

    It compares counters and not clocks, so silence only counts while the supervisor is checking.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._counts: dict[Loop, int] = dict.fromkeys(LOOPS, 0)
        self._seen: dict[Loop, float] = dict.fromkeys(LOOPS, 0.0)
        self._looked: float | None = None
        self.has_begun = False
        """Whether its main loop has run."""

    def look(self, now: float) -> None:
        """Records which loops have beaten since the last check."""
        unseen = 0.0 if self._looked is None else now - self._looked
        self._looked = now
        for loop in LOOPS:
            count = self._report.beats(loop)
            if count != self._counts[loop]:
                self._counts[loop], self._seen[loop] = count, now
            elif unseen > LATE:
                self._seen[loop] += unseen
        self.has_begun = self.has_begun or self._counts["main"] > 0

    def silence(self, loop: Loop) -> float:
        """Seconds of silence of a loop that should beat, up to the last check."""
        if self._looked is None or not self._counts[loop]:
            return 0.0
        return max(0.0, self._looked - self._seen[loop])

    def described(self, timeout: float) -> str | None:
        """Text naming the loop that has been silent beyond the timeout; None: neither has."""
        for loop in LOOPS:
            silence = self.silence(loop)
            if silence > timeout * PATIENCE[loop]:
                return f"its {loop} loop has not run for {silence:.0f} s"
        return None
