"""What commands write: tables and JSON on stdout, a file, and on stderr the progress; none with control characters."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import msgspec
import typer

from engine.errors import ConfigError, StorageError
from engine.text import sanitize, sanitize_char, sanitize_line
from tui.text.numbers import format_size

if TYPE_CHECKING:  # imported in the functions, so that --help starts fast
    from rich.console import Console
    from rich.progress import Progress

    from engine.checkpoints.format import CheckpointInfo
    from engine.protocol.progress import OnProgress

STANDARD_STREAM = "-"
PLAIN_SECONDS = 5.0
"""Time between two lines of progress without a terminal."""
_ENDINGS = (signal.SIGINT, signal.SIGTERM)
_RESTORE_LINE = "\r\x1b[2K\x1b[?25h"
"""Clears the line of the bar and shows the cursor, which rich hides."""


# Lines, tables and JSON -----------------------------------------------------------------------------------------------


def report(sentence: str) -> None:
    """Print a line on stderr."""
    typer.echo(sanitize_line(sentence), err=True)


def report_checkpoint(path: Path, info: CheckpointInfo) -> None:
    """Print on stderr which checkpoint is used."""
    from engine.checkpoints.catalog import checkpoint_name

    report(f"checkpoint: {checkpoint_name(path)}, step {info.step:,}")


def print_json(value: object) -> None:
    """Print one JSON object on a line, also with file names that are not valid UTF-8; control characters escaped."""
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(value), separators=(",", ":"))
    if not text.isprintable():  # only strings can contain such a character: JSON outside of strings is ASCII
        text = "".join(char if sanitize_char(char) == char else json.dumps(char)[1:-1] for char in text)
    sys.stdout.write(text + "\n")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns, two spaces apart."""
    from tui.text.cells import cell_len

    cells = [list(headings), *([sanitize_line(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print one name and value per line, the values aligned."""
    pairs = [(name, sanitize_line(value)) for name, value in facts]
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        sys.stdout.write(f"{name:<{width}}  {value}\n")


# The file that a command writes: a path, or - for standard output -----------------------------------------------------


def check_output(name: str, *, may_replace: bool, is_binary: bool = False) -> None:
    """Raise `StorageError` before the work for a file that exists and may not be replaced, or without a folder.

    Raises `ConfigError` for binary output on a terminal.
    """
    if name == STANDARD_STREAM:
        if is_binary and sys.stdout.isatty():
            raise ConfigError(
                "The file is binary: it can't be printed on a terminal.", "Name a file, or redirect: ... - > FILE"
            )
        return
    from engine.storage.files import check_export

    file = Path(name).expanduser()
    with hint_at_force(str(file)):
        check_export(file, may_replace=may_replace)


def write_output(name: str, content: bytes, *, may_replace: bool) -> None:
    """Write the content, and report a file and its size on stderr. Raises `StorageError`."""
    if name == STANDARD_STREAM:
        with output_errors():
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        return
    from engine.storage.files import write_export

    file = Path(name).expanduser()
    with hint_at_force(str(file)):
        write_export(file, [content], may_replace=may_replace)
    report(f"wrote {file}, {format_size(len(content))}")


@contextlib.contextmanager
def output_errors() -> Iterator[None]:
    """Convert an `OSError` of stdout to a `StorageError`, but for a pipe that is closed; discard what is buffered."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise StorageError(f"Standard output can't be written: {error.strerror}.", "Free some space.") from error


@contextlib.contextmanager
def hint_at_force(file: str) -> Iterator[None]:
    """Turn `FileExistsError` into a `StorageError` that names the file and --force."""
    try:
        yield
    except FileExistsError as error:
        raise StorageError(f"{file} already exists.", "--force replaces it.") from error


# Progress -------------------------------------------------------------------------------------------------------------


def write_line(line: str) -> None:
    """Write a line to stderr and flush it."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class ProgressDisplay:
    """A progress bar at the bottom of a terminal with lines above it; elsewhere, only lines. Always on stderr."""

    def __init__(self) -> None:
        """Draw the bar, if stderr is a terminal."""
        console = _stderr_console()
        self._updated_at = time.monotonic()
        self._bar = _started_bar(console) if _can_draw_bar(console) else None

    def update(self, text: str, share: float | None, *, at_once: bool = False) -> None:
        """Show the state of the work in one line; `share` is 0 to 1, None if unknown.

        Without a terminal, that is a line every `PLAIN_SECONDS`, or `at_once`.
        """
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=sanitize(text), completed=share or 0.0)
            self._bar.tasks[0].total = None if share is None else 1.0  # `update` (rich 14) can't reset a total
        elif at_once or time.monotonic() - self._updated_at >= PLAIN_SECONDS:
            write_line(text)
            self._updated_at = time.monotonic()

    def print(self, text: str) -> None:
        """Print a line that stays."""
        if self._bar is None:
            write_line(text)
        else:
            from rich.text import Text

            self._bar.console.print(Text(text))

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()


def _stderr_console() -> Console:
    """Return a console on the stderr of this moment: Textual replaces it while it runs."""
    from rich.console import Console

    return Console(file=sys.stderr)


def _can_draw_bar(console: Console) -> bool:
    """Return whether `console` is a terminal that can redraw a line."""
    return console.is_terminal and not console.is_dumb_terminal


def _started_bar(console: Console) -> Progress:
    """Return a bar on `console` with one task; without a share it pulsates."""
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
    # rich must not draw stdout, which carries data, above the bar on stderr
    bar = Progress(*columns, console=console, refresh_per_second=4, transient=True, redirect_stdout=False)
    bar.add_task("", total=None)
    bar.start()
    return bar


@contextlib.contextmanager
def show_progress() -> Iterator[OnProgress]:
    """Yield a callback that moves a progress bar; it does nothing without a terminal."""
    if not _can_draw_bar(_stderr_console()):
        yield lambda _share, _doing: None
        return
    with exit_at_signals(), contextlib.closing(ProgressDisplay()) as display:
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
    """Yield a temporary folder for standard input; it is deleted at the end, and on SIGINT or SIGTERM."""
    with tempfile.TemporaryDirectory() as folder:

        def farewell() -> str:
            shutil.rmtree(folder, ignore_errors=True)
            return ""

        with exit_at_signals(farewell):
            yield Path(folder)
