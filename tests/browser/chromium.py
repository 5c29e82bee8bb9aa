"""The browser of the machine: found, never downloaded."""

import shutil

NO_BROWSER = "CHROMIUM: none of chromium, chromium-browser, google-chrome is on the path"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def found() -> str | None:
    """Where Chromium is, if it is installed."""
    return next((path for path in map(shutil.which, _NAMES) if path), None)
