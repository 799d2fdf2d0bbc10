"""The targets by name. A new one: a file with `make(folder) -> Target`, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz.target import Target
from tests.fuzz.targets import cache, checkpoints, journals, messages, readers, settings, socket, text

TARGETS: dict[str, Callable[[Path], Target]] = {
    "cache": cache.make,
    "checkpoints": checkpoints.make,
    "journals": journals.make,
    "messages": messages.make,
    "readers": readers.make,
    "settings": settings.make,
    "socket": socket.make,
    "text": text.make,
}
"""Each makes its target; the folder is its own to write in."""
