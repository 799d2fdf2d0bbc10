"""The targets by name. To add one: a module with `make(folder) -> Target`, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz.target import Target
from tests.fuzz.targets import cache, checkpoints, journals, messages, model_folders, readers, settings, socket, text

TARGETS: dict[str, Callable[[Path], Target]] = {
    "cache": cache.make,
    "checkpoints": checkpoints.make,
    "journals": journals.make,
    "messages": messages.make,
    "model_folders": model_folders.make,
    "readers": readers.make,
    "settings": settings.make,
    "socket": socket.make,
    "text": text.make,
}
"""Factories by name; each may write into the folder."""
