"""How far a download is, shown to a person: a bar on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from tui.formatting import format_size, format_wait

PLAIN_SECONDS = 5.0
"""Time between two lines of progress where there is no terminal."""


def share(num_bytes: int, total: int) -> str:
    """Return how much of the whole this is: "12.3 of 81.4 MB"."""
    return f"{num_bytes / 1e6:.1f} of {format_size(total)}" if total >= 1e5 else f"{num_bytes:,} of {total:,} bytes"


class Display(Protocol):
    """Shows a download to a person."""

    def progress(self, num_bytes: int) -> None:
        """Show how much is here."""

    def note(self, text: str) -> None:
        """Tell what happened."""

    def close(self) -> None:
        """Show nothing more."""


def display_for(total: int, write_line: Callable[[str], None]) -> Display:
    """Return a progress bar for a terminal, and for anything else plain lines through `write_line`."""
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return BarDisplay(Console(stderr=True), total) if is_terminal else PlainDisplay(write_line, total)


class PlainDisplay:
    """A line for what happens, and one for the progress every `PLAIN_SECONDS`."""

    def __init__(
        self, write_line: Callable[[str], None], total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Write through `write_line`."""
        self._write_line = write_line
        self._total = total
        self._clock = clock
        self._told_at = clock()
        self._told_bytes: int | None = None

    def progress(self, num_bytes: int) -> None:
        """Write a line if it is time."""
        if self._told_bytes is None or num_bytes < self._told_bytes:  # what was here before came at no speed
            self._told_bytes = num_bytes
        seconds = self._clock() - self._told_at
        if seconds < PLAIN_SECONDS:
            return
        speed = (num_bytes - self._told_bytes) / seconds
        line = f"{share(num_bytes, self._total)}, {format_size(int(speed))}/s"
        self._write_line(f"{line}, {format_wait((self._total - num_bytes) / speed)} to go" if speed else line)
        self._told_at, self._told_bytes = self._clock(), num_bytes

    def note(self, text: str) -> None:
        """Write a line."""
        self._write_line(text)

    def close(self) -> None:
        """Write nothing more."""


class BarDisplay:
    """A progress bar that stays at the bottom, what happens above it."""

    def __init__(self, console: Console, total: int) -> None:
        """Draw on `console`."""
        columns = (BarColumn(bar_width=20), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, console=console, refresh_per_second=4, transient=True, redirect_stdout=False
        )
        self._total = total
        self._task: TaskID | None = None
        self._progress.start()

    def progress(self, num_bytes: int) -> None:
        """Move the bar; what was here before counts for no speed."""
        if self._task is None:
            self._task = self._progress.add_task("", total=self._total, completed=num_bytes)
        self._progress.update(self._task, completed=num_bytes)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(Text(text))

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()
