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


def browser_on_path() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")
