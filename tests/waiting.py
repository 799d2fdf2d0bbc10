"""Wait for a condition in a test that is not async; `tests.tui.conftest` has the async form."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_SECONDS = 60.0
_POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Poll a condition; fail at the deadline."""
    assert becomes_true(condition), f"timed out: {what}"


def becomes_true(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> bool:
    """Poll a condition; return whether it was met by the deadline."""
    deadline = time.monotonic() + seconds
    while not (is_met := condition()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return bool(is_met)
