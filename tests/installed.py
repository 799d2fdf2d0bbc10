"""Programs that a test runs, and that a developer's machine may lack."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def require(*programs: str) -> None:
    """Skip the test where one of these programs, names or paths, is not installed; fail instead in CI."""
    missing = ", ".join(program for program in programs if not shutil.which(program) and not os.path.exists(program))
    if missing and "CI" in os.environ:
        pytest.fail(f"not installed: {missing}")
    if missing:
        pytest.skip(f"not installed: {missing}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start an installed Chromium without a window."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, _BROWSERS)), _BROWSERS[0])
    require(path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def node_path() -> str:
    """Return the path of the Node that comes with Playwright."""
    from playwright._impl._driver import compute_driver_executable

    return str(compute_driver_executable()[0])
