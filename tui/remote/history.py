"""What a run was before its present session, from its journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tui.run_view import RunView
from tui.state import replay


def size_of(journal: Path) -> int:
    """Return how many bytes a journal has now."""
    try:
        return journal.stat().st_size
    except OSError:
        return 0


def view_before(journal: Path, num_bytes: int) -> RunView:
    """Return the view that the first so many bytes of a journal lead to; none where it can't be read."""
    try:
        with journal.open("rb") as file:
            return replay(_lines_within(file, num_bytes))
    except OSError:
        return RunView()


def _lines_within(file: BinaryIO, num_bytes: int) -> Iterator[bytes]:
    """Yield the lines that end within the first so many bytes."""
    for line in file:
        num_bytes -= len(line)
        if num_bytes < 0:
            return
        yield line
