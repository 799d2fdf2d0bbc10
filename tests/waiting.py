"""Wait for a condition in a test that is not async; `tests.tui.conftest` has the async form."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_SECONDS = 60.0
_POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Poll a condition; fail at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"timed out: {what}"
        time.sleep(_POLL_SECONDS)
