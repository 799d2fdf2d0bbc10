"""One progress display for whatever takes its time: a bar on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from engine.text import defused

if TYPE_CHECKING:
    from engine.protocol.stage import OnProgress

PLAIN_SECONDS = 5.0
"""Time between two lines of progress where there is no terminal."""
_ENDINGS = (signal.SIGINT, signal.SIGTERM)
_RESTORE_LINE = "\r\x1b[2K\x1b[?25h"
"""Empties the line of the bar and shows the cursor, which rich hides."""


def write_line(line: str) -> None:
    """Write a line of narration."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class ProgressDisplay(Protocol):
    """Shows the progress of one piece of work, and notes about it."""

    def move(self, text: str, share: float | None, *, at_once: bool = False) -> None:
        """Show where the work stands, in one line; `share` is 0 to 1, None if unknown.

        Plain lines show it only every few seconds, unless it is to be seen `at_once`.
        """

    def note(self, text: str) -> None:
        """Print a line that stays."""

    def close(self) -> None:
        """Remove the display."""


class PlainLines:
    """Notes at once, and a line of progress every `PLAIN_SECONDS`."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Write through `write`."""
        self._write = write
        self._clock = clock
        self._moved_at = clock()

    def move(self, text: str, share: float | None, *, at_once: bool = False) -> None:  # noqa: ARG002 - the text contains the share
        """Write a line if it is time for one."""
        if at_once or self._clock() - self._moved_at >= PLAIN_SECONDS:
            self.note(text)
            self._moved_at = self._clock()

    def note(self, text: str) -> None:
        """Write a line."""
        self._write(text)

    def close(self) -> None:
        """Nothing is left to remove."""


class Bar:
    """A progress bar at the bottom, notes above it."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`, which is no dumb terminal."""
        columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
        # what is printed is data, for stdout alone: it is not to be drawn above the bar, on stderr
        self._progress = Progress(
            *columns, console=console, refresh_per_second=4, transient=True, redirect_stdout=False
        )
        self._task = self._progress.add_task("", total=None)
        self._progress.start()

    def move(self, text: str, share: float | None, *, at_once: bool = False) -> None:  # noqa: ARG002 - always at once
        """Fill the bar to `share`; without one it only pulsates."""
        self._progress.update(self._task, description=defused(text), completed=share or 0.0)
        self._progress.tasks[0].total = None if share is None else 1.0  # `update` (rich 14) can't reset a total

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(Text(text))

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()


def has_bar(console: Console) -> bool:
    """Return whether a bar can be drawn on `console`."""
    return console.is_terminal and not console.is_dumb_terminal


def progress_display() -> ProgressDisplay:
    """Return a bar for a terminal, plain lines for anything else."""
    console = Console(stderr=True)
    return Bar(console) if has_bar(console) else PlainLines(write_line)


@contextlib.contextmanager
def reading_bar(console: Console) -> Iterator[OnProgress]:
    """Give a function that moves a bar on `console`; without a terminal nothing is shown."""
    if not has_bar(console):
        yield lambda _share, _doing: None
        return
    with exit_at_signals(), contextlib.closing(Bar(console)) as bar:
        reached = 0.0

        def on_progress(share: float | None, doing: str) -> None:
            nonlocal reached
            reached = reached if share is None else share
            bar.move(f"{100 * reached:>3.0f} %  {doing}", reached)

        on_progress(0.0, "opening")
        yield on_progress


@contextlib.contextmanager
def exit_at_signals(farewell: Callable[[], str] = str) -> Iterator[None]:
    """Exit at once at SIGINT or SIGTERM, the terminal as before and `farewell()` on stderr; ignored ones stay so."""

    def leave(number: int, _: FrameType | None) -> None:
        restore = _RESTORE_LINE if sys.stderr.isatty() else ""
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), (restore + farewell()).encode())
        os._exit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    answered = [number for number in _ENDINGS if is_main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in answered}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
