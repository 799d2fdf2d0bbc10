"""The few lines of PyTorch of each stop, read from `assets/lesson/` as text. They are run by tests only."""

from __future__ import annotations

import importlib.resources


def snippet(stop: int) -> str:
    """Return the code of a stop, counted from 1."""
    path = importlib.resources.files("assets") / "lesson" / f"stop_{stop}.py"
    return path.read_text(encoding="utf-8")
