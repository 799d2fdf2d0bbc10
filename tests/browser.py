"""A Chromium for tests that open pages, and the Node that comes with Playwright for tests of their JavaScript."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright._impl._driver import compute_driver_executable

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def browser_path() -> str:
    """Return the path of an installed Chromium; skip the test where there is none, fail it in CI."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"CI must have one of {', '.join(_NAMES)}.")
    if path is None:
        pytest.skip(f"None of {', '.join(_NAMES)} is installed.")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        yield browser
        browser.close()


def node_path() -> str:
    """Return the path of a Node."""
    return str(compute_driver_executable()[0])
