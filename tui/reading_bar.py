"""A progress bar on stderr while a corpus is read, gone when it was; nothing where there is no terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from engine.text import harmless

if TYPE_CHECKING:  # numpy would come with it, before --help is shown
    from engine.corpus.collection import OnProgress

_BAR_CELLS = 30
_ENDINGS = (signal.SIGINT, signal.SIGTERM)
_TAKE_AWAY = b"\r\x1b[2K\x1b[?25h"
"""Empties the line of the bar and shows the cursor, which rich hides."""


@contextlib.contextmanager
def reading_bar(console: Console) -> Iterator[OnProgress]:
    """Give a function that moves the bar. A signal that ends the program takes it away first."""
    columns = (
        BarColumn(bar_width=_BAR_CELLS),
        TextColumn("{task.percentage:>3.0f} %  {task.description}", markup=False),
    )
    has_bar = console.is_terminal and not console.is_dumb_terminal
    with (
        _leaving_tidily() if has_bar else contextlib.nullcontext(),
        Progress(*columns, console=console, transient=True, redirect_stdout=False, disable=not has_bar) as progress,
    ):
        task = progress.add_task("opening", total=1.0)

        def on_progress(share: float | None, doing: str) -> None:
            progress.update(task, completed=share, description=harmless(doing))

        yield on_progress


@contextlib.contextmanager
def _leaving_tidily() -> Iterator[None]:
    """End the program at once at Ctrl-C or a wish to end, the terminal as it was; what is ignored stays so."""
    is_main = threading.current_thread() is threading.main_thread()
    heard = [number for number in _ENDINGS if is_main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _leave) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _: FrameType | None) -> None:
    """Leave without a word: what is read is in no file of ours yet."""
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), _TAKE_AWAY)
    os._exit(128 + number)
