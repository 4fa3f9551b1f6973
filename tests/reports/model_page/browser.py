"""A browser without a window, for pages: a Chromium that is installed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's browser. Skips where it, or a Chromium, is not there."""
    api = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed: pages are not looked at in a browser")
    with api.sync_playwright() as playwright:
        # Pages are our own; a container's user may have no right to a sandbox.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
