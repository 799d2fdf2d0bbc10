"""The progress display of all commands: a bar on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from engine.text import sanitize

if TYPE_CHECKING:
    from engine.progress import OnProgress

PLAIN_SECONDS = 5.0
"""Time between two lines of progress without a terminal."""
_ENDINGS = (signal.SIGINT, signal.SIGTERM)
_RESTORE_LINE = "\r\x1b[2K\x1b[?25h"
"""Clears the line of the bar and shows the cursor, which rich hides."""


def write_line(line: str) -> None:
    """Write a line to stderr and flush it."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class ProgressDisplay:
    """A progress bar at the bottom of a terminal with lines above it; elsewhere, only lines."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        write: Callable[[str], None] = write_line,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Draw a bar on `console` (default: stderr) if it is a terminal, or else write lines with `write`."""
        console = console or Console(stderr=True)
        self._write = write
        self._clock = clock
        self._updated_at = clock()
        self._bar = _started_bar(console) if can_draw_bar(console) else None

    def update(self, text: str, share: float | None, *, at_once: bool = False) -> None:
        """Show the state of the work in one line; `share` is 0 to 1, None if unknown.

        Without a terminal, that is a line every `PLAIN_SECONDS`, or `at_once`.
        """
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=sanitize(text), completed=share or 0.0)
            self._bar.tasks[0].total = None if share is None else 1.0  # `update` (rich 14) can't reset a total
        elif at_once or self._clock() - self._updated_at >= PLAIN_SECONDS:
            self._write(text)
            self._updated_at = self._clock()

    def print(self, text: str) -> None:
        """Print a line that stays."""
        if self._bar is not None:
            self._bar.console.print(Text(text))
        else:
            self._write(text)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()


def can_draw_bar(console: Console) -> bool:
    """Return whether `console` is a terminal that can redraw a line."""
    return console.is_terminal and not console.is_dumb_terminal


def _started_bar(console: Console) -> Progress:
    """Return a bar on `console` with one task; without a share it pulsates."""
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
    # rich must not draw stdout, which carries data, above the bar on stderr
    bar = Progress(*columns, console=console, refresh_per_second=4, transient=True, redirect_stdout=False)
    bar.add_task("", total=None)
    bar.start()
    return bar


@contextlib.contextmanager
def show_progress(console: Console | None = None) -> Iterator[OnProgress]:
    """Give a callback that moves a bar on `console` (default: stderr); it does nothing without a terminal."""
    console = console or Console(stderr=True)
    if not can_draw_bar(console):
        yield lambda _share, _doing: None
        return
    with exit_at_signals(), contextlib.closing(ProgressDisplay(console)) as display:
        reached = 0.0

        def on_progress(share: float | None, doing: str) -> None:
            nonlocal reached
            reached = reached if share is None else share
            display.update(f"{100 * reached:>3.0f} %  {doing}", reached)

        on_progress(0.0, "opening")
        yield on_progress


@contextlib.contextmanager
def exit_at_signals(farewell: Callable[[], str] = str) -> Iterator[None]:
    """Exit at once on SIGINT or SIGTERM unless ignored: restore the terminal, write `farewell()` to stderr.

    Where the caller is inside of another such block, its farewell follows.
    """
    stream = sys.stderr  # Textual replaces it while it runs, also without a terminal

    def leave(number: int, frame: FrameType | None) -> None:
        restore = _RESTORE_LINE if stream.isatty() else ""
        with contextlib.suppress(OSError):
            os.write(stream.fileno(), (restore + farewell()).encode())
        outer = before[signal.Signals(number)]
        if callable(outer):
            outer(number, frame)
        os._exit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    found = {number: signal.getsignal(number) for number in _ENDINGS if is_main}
    before = {number: handler for number, handler in found.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def passing_folder() -> Iterator[Path]:
    """Give a temporary folder for what is piped in; it is deleted at the end, and on SIGINT or SIGTERM."""
    with tempfile.TemporaryDirectory() as folder:

        def farewell() -> str:
            shutil.rmtree(folder, ignore_errors=True)
            return ""

        with exit_at_signals(farewell):
            yield Path(folder)
