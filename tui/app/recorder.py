"""`IdleSelector`: a selector with which a coroutine can wait until its event loop has nothing left to do.

What Textual's compositor draws, as the frames of a recording.

Screens, as cells of styled text, and a recording of them in asciinema's format, version 2.

The format: docs.asciinema.org/manual/asciicast/v2.

Records the replay of a journal without a terminal: the main screen at the times of a clock that only this moves.

What is recorded depends on the journal, its run's pins, the speed, the size and the user's preferences, not on this
machine: no timer of the main screen runs, and a picture is taken once nothing changes it any more.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.color import Color
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.filter import LineFilter, Monochrome
from textual.notifications import Notification, Notify, SeverityLevel
from textual.pilot import Pilot
from textual.strip import Strip
from textual.timer import Timer

from tui.app.app import TweetgenApp
from tui.app.files import Files
from tui.app.main_screen import TICK_SECONDS, MainScreen
from tui.app.pins import PinnedTweets
from tui.run.connection import RunConnection
from tui.run.model import RunModel
from tui.run.new_run import OverlayCurve
from tui.run.replay import ReplayedRun
from tui.run.view import RunView
from tui.settings.preferences import AUTO, PreferencesStore
from tui.terminal.private import drawn_strips, remove_notification, update_screen
from tui.terminal.theme import theme_for
from tui.text.cells import split_graphemes
from tui.widgets.panels import Pace


class IdleSelector(selectors.DefaultSelector):
    """Selects as usual. An event loop is idle once it selects with a timeout: nothing is ready to run then."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[asyncio.Future[None]] = []

    async def idle(self) -> None:
        """Wait until all that could run without time passing has run. Called on the loop of this selector."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; in place of waiting, resume the coroutines that wait until the loop is idle."""
        if not self._waiting or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                future.set_result(None)
        return ready


_WIDE = 2


class FrameReader:
    """Converts the strips of one screen after the other; lines and cells that stay the same are the same objects."""

    def __init__(self) -> None:
        """Read the first screen whole."""
        self._strips: Sequence[Strip] = ()
        self._frame: Frame = ()

    def read(self, strips: Sequence[Strip]) -> Frame:
        """Return the cells of all lines."""
        before = list(zip(self._strips, self._frame, strict=True))
        lines = []
        for y, strip in enumerate(strips):
            is_same = y < len(before) and before[y][0] == strip
            lines.append(before[y][1] if is_same else _line(strip))
        self._strips, self._frame = strips, tuple(lines)
        return self._frame


def _line(strip: Strip) -> Line:
    return tuple(cell for segment in strip for cell in _cells(segment))


def _cells(segment: Segment) -> Iterator[Cell]:
    """Yield the cells of a text in one style; a grapheme of two cells has an empty one after it."""
    style = _style(segment.style)
    text = segment.text
    if text.isascii():
        yield from (_cell(char, style) for char in text)
        return
    for start, end, num_cells in split_graphemes(text)[0]:
        if num_cells:
            yield _cell(text[start:end], style)
        if num_cells == _WIDE:
            yield _cell("", style)


@lru_cache(maxsize=100_000)
def _cell(text: str, style: Style) -> Cell:
    return text, style


@lru_cache(maxsize=10_000)
def _style(style: RichStyle | None) -> Style:
    if style is None:
        return Style()
    foreground, background = _hex(style.color), _hex(style.bgcolor)
    if style.reverse:
        foreground, background = background, foreground
    return Style(foreground, background, bool(style.bold), bool(style.italic), bool(style.underline))


def _hex(color: Color | None) -> str:
    """Return a colour's digits; Textual's filter has replaced those of the terminal's palette."""
    return "" if color is None or color.triplet is None else color.triplet.hex.removeprefix("#")


_START = "\x1b[?25l\x1b[2J"
"""Hides the cursor and clears the terminal of the player."""
_END = "\x1b[0m\x1b[{row};1H\x1b[?25h"
"""Restores the colours and shows the cursor, below the picture; in a terminal of the same height, on its last line."""
_MAX_UNCHANGED_CELLS = 6
"""Between two changes of a line, written again: fewer characters than moving the cursor."""


@dataclass(frozen=True)
class Style:
    """How a cell is drawn. A colour is six hexadecimal digits, or "" for the terminal's own."""

    foreground: str = ""
    background: str = ""
    is_bold: bool = False
    is_italic: bool = False
    is_underlined: bool = False


Cell = tuple[str, Style]
"""A character and its style; the cell after a character of two cells is empty."""
Line = tuple[Cell, ...]
Frame = tuple[Line, ...]


@dataclass(frozen=True)
class TimedFrame:
    """A screen, and the seconds since the beginning at which it appeared."""

    seconds: float
    frame: Frame


def to_cast(frames: Sequence[TimedFrame], title: str) -> str:
    """Return the frames as a recording in asciinema's format, version 2."""
    height, width = len(frames[0].frame), len(frames[0].frame[0])
    header = {"version": 2, "width": width, "height": height, "title": title, "env": {"TERM": "xterm-256color"}}
    lines = [json.dumps(header)]
    before: Frame = ((("", Style()),) * width,) * height
    for each in frames:
        output = "".join(_changes(before, each.frame))
        if len(lines) == 1:
            output = _START + output
        if each is frames[-1]:
            output += _END.format(row=height + 1)
        if output:
            lines.append(json.dumps([round(each.seconds, 2), "o", output], ensure_ascii=False))
        before = each.frame
    return "\n".join(lines) + "\n"


def _changes(before: Frame, after: Frame) -> Iterator[str]:
    """Yield the control sequences and texts that turn a screen into another."""
    style = None
    for y, (old, new) in enumerate(zip(before, after, strict=True)):
        for start, end in _changed_cells(old, new):
            yield f"\x1b[{y + 1};{start + 1}H"
            for next_style, cells in groupby(new[start:end], key=lambda cell: cell[1]):
                yield _sgr(style, next_style)
                style = next_style
                yield "".join(data for data, _ in cells)


def _changed_cells(old: Line, new: Line) -> list[tuple[int, int]]:
    """Return the ranges of the changed cells; a character of two cells is in one range."""
    ranges: list[tuple[int, int]] = []
    for x in (x for x in range(len(new)) if old[x] != new[x]):
        start = x if new[x][0] else x - 1
        end = x + 2 if x + 1 < len(new) and not new[x + 1][0] else x + 1
        if ranges and start - ranges[-1][1] <= _MAX_UNCHANGED_CELLS:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((start, end))
    return [(start - (not new[start][0]), end) for start, end in ranges]


def _sgr(before: Style | None, after: Style) -> str:
    """Return the control sequence from one style to another."""
    if before == after:
        return ""
    codes = []
    if before is None or _attributes(before) != _attributes(after):
        codes += ["0", *_attributes(after)]
        before = Style()
    for kind, old, new in (
        ("38", before.foreground, after.foreground),
        ("48", before.background, after.background),
    ):
        if old != new:
            codes.append(f"{kind};2;{';'.join(map(str, bytes.fromhex(new)))}" if new else f"{kind[0]}9")
    return f"\x1b[{';'.join(codes)}m"


def _attributes(style: Style) -> list[str]:
    attributes = (("1", style.is_bold), ("3", style.is_italic), ("4", style.is_underlined))
    return [code for code, is_on in attributes if is_on]


SHOWN_SECONDS = 5.0
"""How long a toast is shown, and a dialog, which nobody can close."""
_NEVER = 1e9
_TICKS_AFTER_END = 1
"""In which the plot follows the status."""


class Clock:
    """Returns the seconds since the start of a recording."""

    seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


class _SteppedScreen(MainScreen):
    """A main screen whose tick is called by the recorder."""

    def __init__(self, run: RunModel, clock: Clock) -> None:
        self._paused: list[Timer] = []
        """Textual (8.2) has only weak references to them."""
        super().__init__(run, None, clock, Pace(clock, lambda: 0.0, is_remote=False))

    def set_interval(
        self,
        interval: float,
        callback: Callable[[], Any] | None = None,
        *,
        name: str | None = None,
        repeat: int = 0,
        pause: bool = False,  # noqa: ARG002 - Textual's signature
    ) -> Timer:
        """Prepare a timer that does not run."""
        self._paused.append(super().set_interval(interval, callback, name=name, repeat=repeat, pause=True))
        return self._paused[-1]


class RecorderApp(TweetgenApp, inherit_bindings=False):
    """The main screen over a replay, in the colours of a modern terminal, whatever the present one is."""

    def __init__(self, connection: RunConnection, store: PreferencesStore, clock: Clock) -> None:
        """Show what `connection` emits, with the theme and the glyphs of the user's preferences."""
        store.problems = ()
        self._toasts: list[tuple[float, Notification]] = []
        self._covered_since: float | None = None
        self._clock = clock
        super().__init__(connection, RunView(is_replay=True), store=store)
        if store.preferences.theme == AUTO:
            self._chosen_theme = theme_for("truecolor")
        self.no_color = False

    def _show_run(self, run: RunModel, overlay: OverlayCurve | None = None) -> None:  # noqa: ARG002 - a replay has no other curve
        self.main = _SteppedScreen(run, self._clock)
        self.pins = PinnedTweets(self.main)
        self.files = Files(self, self.main)

    def get_line_filters(self) -> list[LineFilter]:
        """Return the filters without that of `NO_COLOR`, which is about the present terminal."""
        return [each for each in super().get_line_filters() if not isinstance(each, Monochrome)]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,  # noqa: ARG002 - Textual's signature
        markup: bool = True,
    ) -> None:
        """Show a toast until `remove_outdated` removes it by the clock of the recording."""
        toast = Notification(message, title, severity, timeout=_NEVER, markup=markup)
        self._toasts.append((self._clock(), toast))
        self.post_message(Notify(toast))

    def remove_outdated(self) -> None:
        """Remove the toasts and the dialog that have been shown for their time."""
        now = self._clock()
        while self._toasts and now - self._toasts[0][0] >= SHOWN_SECONDS:
            remove_notification(self, self._toasts.pop(0)[1])
        if self.screen is self.main:
            self._covered_since = None
        elif self._covered_since is None:
            self._covered_since = now
        elif now - self._covered_since >= SHOWN_SECONDS:
            self.pop_screen()
            self._covered_since = None


class Recorder:
    """Records one replay. `record` runs an event loop of its own."""

    def __init__(
        self, path: Path, speed: float, max_gap_seconds: float, size: tuple[int, int], store: PreferencesStore
    ) -> None:
        """Replay the journal at `path` on a screen of `size`, columns and rows."""
        self._clock = Clock()
        self._bridge = ReplayedRun(path, speed, self._clock, max_gap_seconds)
        self._app = RecorderApp(self._bridge, store, self._clock)
        self._size = size
        self._selector = IdleSelector()
        self._reader = FrameReader()

    @property
    def warning(self) -> str:
        """What of the journal can't be read, as a sentence; empty if nothing."""
        return self._bridge.skipped.warning

    def record(self, on_seconds: Callable[[float], None]) -> list[TimedFrame]:
        """Return each screen that differs from the one before, and the last one.

        `on_seconds` is called with the seconds recorded so far. Raises what the app fails with.
        """
        frames: list[TimedFrame] = []

        async def play(_: Pilot[Any]) -> None:
            await self._play(frames, on_seconds)
            self._app.exit()

        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(self._selector)) as runner:
            runner.run(self._app.run_async(headless=True, size=self._size, auto_pilot=play))
        if self._app.failure is not None:
            raise self._app.failure
        return frames

    async def _play(self, frames: list[TimedFrame], on_seconds: Callable[[float], None]) -> None:
        """Advance the clock tick by tick to the end of the journal and of what follows from it."""
        num_ticks, num_after_end = 0, 0
        while True:
            strips = await self._drawn()
            if self._app.failure is not None:
                return
            num_after_end += not self._bridge.is_alive
            frame, is_last = self._reader.read(strips), num_after_end > _TICKS_AFTER_END
            if not frames or is_last or frame != frames[-1].frame:
                frames.append(TimedFrame(self._clock.seconds, frame))
            if is_last:
                return
            num_ticks += 1
            self._clock.seconds = round(num_ticks * TICK_SECONDS, 3)
            on_seconds(self._clock.seconds)
            self._app.remove_outdated()
            self._app.main.call_later(self._app.main.tick)

    async def _drawn(self) -> list[Strip]:
        """Return what is on the screen once all that was changed is laid out and drawn, and all files are read."""
        before: list[Strip] | None = None
        while True:
            await self._selector.idle()
            await self._app.workers.wait_for_complete()
            for screen in self._app.screen_stack:
                update_screen(screen)
            await self._selector.idle()
            strips = drawn_strips(self._app.screen)
            if strips == before:
                return strips
            before = strips
