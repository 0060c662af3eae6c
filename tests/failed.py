"""Prints the tests that failed in the last run, a line each, for `make test-again`.

Its argument is the directory of pytest's cache.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

MOST = 5
"""More failures than this are no accident of a busy machine."""
LAST = "v/cache/lastfailed"
"""Written by pytest into its cache's directory: an object with a key for each test."""


def main() -> None:
    last = Path(sys.argv[1], LAST)
    failed: list[str] = list(json.loads(last.read_text())) if last.exists() else []
    if not 0 < len(failed) <= MOST:
        sys.exit(f"{len(failed)} tests failed; 1 to {MOST} are repeated")
    sys.stderr.write("".join(f"FAILED AT FIRST, repeated alone: {each}\n" for each in failed))
    sys.stdout.write("".join(f"{each}\n" for each in failed))


if __name__ == "__main__":
    main()
