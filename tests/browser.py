"""The Chromium that tests drive."""

from __future__ import annotations

import os
import shutil

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def browser_path() -> str:
    """Return the path of a Chromium. Without one, skip the test; fail in CI, where one must be installed."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        reason = f"none of {', '.join(_NAMES)} is installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
