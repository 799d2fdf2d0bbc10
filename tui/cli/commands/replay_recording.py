"""`tweetgen-tui runs replay --cast FILE`: records the replay, without a terminal, for asciinema."""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

import typer

from engine.errors import ConfigError
from engine.storage.folders import RunFolder
from engine.text import sanitize_line
from tui.cli.output.output_file import check_output, write_output
from tui.terminal.capabilities import LARGEST_SIZE
from tui.text.numbers import format_duration

DEFAULT_SECONDS = 30.0
"""How long a recording is, unless a speed is given."""
MAX_IDLE_SECONDS = 2.0
"""A longer time without an event is shortened to this."""


class ScreenSize(NamedTuple):
    """Columns and rows."""

    columns: int
    rows: int


DEFAULT_SIZE = ScreenSize(100, 30)
_MIN_SIZE, _MAX_SIZE = ScreenSize(40, 12), ScreenSize(*LARGEST_SIZE)
"""A smaller screen shows one line of text."""


def parse_size(text: str) -> ScreenSize:
    """Return the size that an option names, as 80x24. Raises typer's error."""
    found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text)
    size = ScreenSize(int(found[1]), int(found[2])) if found else ScreenSize(0, 0)
    if not all(low <= value <= high for low, value, high in zip(_MIN_SIZE, size, _MAX_SIZE, strict=True)):
        limits = " to ".join(f"{columns}x{rows}" for columns, rows in (_MIN_SIZE, _MAX_SIZE))
        raise typer.BadParameter(f"{text!r} is not a size in columns and rows from {limits}.")
    return size


def check_recording(file: str, speed: float | None, *, may_replace: bool) -> None:
    """Raise `TweetgenError` for a speed without an end, and for a file that can't be written."""
    if speed == float("inf"):
        raise ConfigError(
            "--speed max is the pace of a screen; a recording needs a number.",
            f"Without --speed, a recording takes {DEFAULT_SECONDS:.0f} seconds.",
        )
    check_output(file, may_replace=may_replace)


def record_replay(folder: RunFolder, file: str, speed: float | None, size: ScreenSize, *, may_replace: bool) -> None:
    """Record the replay of a run to a file, or "-" for standard output; stderr has the lines that can't be read.

    Raises `TweetgenError`.
    """
    from rich.console import Console

    from tui.app.main_screen import TICK_SECONDS
    from tui.app.recorder import Recorder, to_cast
    from tui.cli.output.progress_display import show_progress
    from tui.run.journal import require_journal
    from tui.run.replay import length_of
    from tui.settings.preferences import PreferencesStore, preferences_path

    require_journal(folder)
    path = folder.journal_path
    speed = speed or max(length_of(path) / DEFAULT_SECONDS, 1.0)
    seconds = max(length_of(path, MAX_IDLE_SECONDS * speed) / speed, TICK_SECONDS)
    store = PreferencesStore(preferences_path())
    problems, store.problems = store.problems, ()  # reported below, not in the recording
    recorder = Recorder(path, speed, MAX_IDLE_SECONDS, size, store)
    console = Console(file=sys.stderr)  # not that of the moment, which Textual replaces while it runs
    with show_progress(console) as on_progress:
        outputs = recorder.record(lambda now: on_progress(min(now / seconds, 1.0), f"{format_duration(now)} recorded"))
    cast = to_cast(outputs, size, sanitize_line(f"tweetgen-tui: {folder.name}"))
    write_output(file, cast.encode(), may_replace=may_replace)
    for sentence in (*problems, recorder.warning):
        if sentence:
            typer.echo(sentence, err=True)
