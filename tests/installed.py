"""Programs that a test runs, and that a developer's machine may lack."""

from __future__ import annotations

import os
import shutil

import pytest


def require(*programs: str) -> None:
    """Skip the test where one of these programs, names or paths, is not installed; fail instead in CI."""
    missing = ", ".join(program for program in programs if not shutil.which(program) and not os.path.exists(program))
    if missing and "CI" in os.environ:
        pytest.fail(f"not installed: {missing}")
    if missing:
        pytest.skip(f"not installed: {missing}")
