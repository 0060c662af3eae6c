"""The Chromium that the tests run: its program, and its options."""

from __future__ import annotations

import shutil

# Options that keep Chromium from making requests, and give it a fake microphone and camera.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers give little of it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


# The shell makes a page without a browser's window around it, in half of the processor time.
_PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")


def browser_on_path() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)
