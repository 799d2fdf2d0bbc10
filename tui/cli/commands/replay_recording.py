"""`tweetgen-tui runs replay` with a file: records the replay, without a terminal, as a cast or an animated picture."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import NamedTuple

import typer

from engine.errors import ConfigError
from engine.storage.folders import RunFolder
from engine.text import harmless
from tui.cli.output.output_file import STANDARD_STREAM, check_output, require_effect, write_output
from tui.formatting.numbers import format_duration

DEFAULT_SECONDS = 30.0
"""How long a recording is, unless a speed is given."""
MAX_IDLE_SECONDS = 2.0
"""A longer time without an event is shortened to this."""
NUM_PICTURES = 60
"""In an animated SVG: its size grows with them, and not with the length of the run."""
_COMMAND = "runs replay"


class ScreenSize(NamedTuple):
    """Columns and rows."""

    columns: int
    rows: int

    @classmethod
    def parse(cls, text: str) -> ScreenSize:
        """Return the size that an option names, as 80x24; raises typer's error."""
        found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text)
        size = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not all(low <= value <= high for low, value, high in zip(_MIN_SIZE, size, _MAX_SIZE, strict=True)):
            limits = " to ".join(f"{each.columns}x{each.rows}" for each in (_MIN_SIZE, _MAX_SIZE))
            raise typer.BadParameter(f"{text!r} is not a size in columns and rows from {limits}.")
        return size


DEFAULT_SIZE = ScreenSize(100, 30)
_MIN_SIZE, _MAX_SIZE = ScreenSize(40, 12), ScreenSize(400, 200)
"""A smaller screen shows one line of text."""


@dataclass(frozen=True, kw_only=True)
class RecordingOptions:
    """The options of a recording; `cast` and `svg` are files, or "-" for standard output."""

    cast: str | None
    svg: str | None
    size: ScreenSize | None
    force: bool
    speed: float | None

    @property
    def files(self) -> list[str]:
        """The files to write."""
        return [name for name in (self.cast, self.svg) if name is not None]

    def check(self) -> None:
        """Raise `TweetgenError` for options without effect and for files that can't be written."""
        require_effect({"size": self.size}, "without --cast or --svg", _COMMAND, has_effect=bool(self.files))
        has_file = any(name != STANDARD_STREAM for name in self.files)
        require_effect({"force": self.force or None}, "without a file to write", _COMMAND, has_effect=has_file)
        if len({os.path.realpath(os.path.expanduser(name)) for name in self.files}) < len(self.files):
            raise ConfigError("--cast and --svg name the same file.", "Choose two files.")
        if self.files and self.speed == float("inf"):
            raise ConfigError(
                "--speed max is the pace of a screen; a recording needs a number.",
                f"Without --speed, a recording takes {DEFAULT_SECONDS:.0f} seconds.",
            )
        for name in self.files:
            check_output(name, may_replace=self.force)


def record_replay(folder: RunFolder, options: RecordingOptions) -> None:
    """Record the replay of a run and write the files; stderr has the lines of the journal that can't be read.

    Raises `TweetgenError`.
    """
    from rich.console import Console

    from tui.app.recorder import Recorder
    from tui.cli.output.progress_display import show_progress
    from tui.recording.animation import animate
    from tui.recording.cast import to_cast
    from tui.recording.frames import at_even_times
    from tui.run.journal import require_journal
    from tui.run.replay import length_of
    from tui.screens.main.screen import TICK_SECONDS
    from tui.settings.preferences import preferences_path
    from tui.settings.store import PreferencesStore

    require_journal(folder)
    path = folder.journal_path
    speed = options.speed or max(length_of(path) / DEFAULT_SECONDS, 1.0)
    seconds = max(length_of(path, MAX_IDLE_SECONDS * speed) / speed, TICK_SECONDS)
    store = PreferencesStore(preferences_path())
    recorder = Recorder(path, speed, MAX_IDLE_SECONDS, options.size or DEFAULT_SIZE, store)
    console = Console(file=sys.stderr)  # not that of the moment, which Textual replaces while it runs
    with show_progress(console) as on_progress:
        frames = recorder.record(lambda now: on_progress(min(now / seconds, 1.0), f"{format_duration(now)} recorded"))
    title = harmless(f"tweetgen-tui: {folder.name}")
    if options.cast is not None:
        write_output(options.cast, to_cast(frames, title).encode(), may_replace=options.force)
    if options.svg is not None:
        count = min(round(frames[-1].seconds / TICK_SECONDS) + 1, NUM_PICTURES)
        slot_seconds = frames[-1].seconds / max(count - 1, 1) or TICK_SECONDS
        pictures = [each.frame for each in at_even_times(frames, count, slot_seconds)]
        write_output(options.svg, animate(pictures, title, slot_seconds).encode(), may_replace=options.force)
    for sentence in (*store.problems, recorder.warning):
        if sentence:
            typer.echo(sentence, err=True)
