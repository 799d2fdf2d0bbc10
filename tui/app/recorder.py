"""`Recorder`: the replay of a journal as a recording for asciinema, without a terminal.

What Textual writes is noted with the time of a clock that only the recorder moves: no timer of the main screen runs,
and a screen is drawn once nothing changes it any more. So a recording depends on the journal, its run's pins, the
speed, the size and the user's preferences, not on this machine.
"""

from __future__ import annotations

import asyncio
import json
import re
import selectors
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias, cast

from rich.console import Console
from textual.driver import Driver
from textual.drivers.headless_driver import HeadlessDriver
from textual.notifications import Notification, Notify
from textual.pilot import Pilot
from textual.timer import Timer

from tui.app.app import TweetgenApp
from tui.app.main_screen import TICK_SECONDS, MainScreen
from tui.run.model import RunModel
from tui.run.replay import ReplayedRun
from tui.run.view import RunView
from tui.settings.preferences import PreferencesStore
from tui.terminal.compaction import compacted
from tui.terminal.private import drawing_on_demand, update_screen
from tui.widgets.panels import Pace

Output: TypeAlias = tuple[float, str]
"""Output to a terminal, after the seconds since the beginning."""
SHOWN_SECONDS = 5.0
"""How long a toast is shown, and a dialog, which nobody can close."""
_NEVER = 1e9
_TICKS_AFTER_END = 1
"""Ticks recorded after the end, in which the plot catches up with the status."""
_START = "\x1b[?25l\x1b[2J"
"""Hides the cursor and clears the terminal of the player."""
_END = "\x1b[0m\x1b[{row};1H\x1b[?25h"
"""Restores the colours and shows the cursor, below the picture; in a terminal of the same height, on its last line."""
_LAST_MOVE = re.compile(r"(\x1b\[[0-9;]*H)+\Z")
"""Trailing moves to the cursor, which is hidden."""


def to_cast(outputs: Sequence[Output], size: tuple[int, int], title: str) -> str:
    """Return a recording in asciinema's format, version 2: docs.asciinema.org/manual/asciicast/v2."""
    header = {"version": 2, "width": size[0], "height": size[1], "title": title, "env": {"TERM": "xterm-256color"}}
    last = outputs[-1][0], _END.format(row=size[1] + 1)
    events = [(outputs[0][0], _START + outputs[0][1]), *outputs[1:], last]
    lines = [json.dumps([round(seconds, 2), "o", text], ensure_ascii=False) for seconds, text in events if text]
    return "\n".join([json.dumps(header), *lines, ""])


class IdleSelector(selectors.DefaultSelector):
    """Selects as usual. An event loop is idle once it selects with a timeout: nothing is ready to run then."""

    def __init__(self) -> None:
        super().__init__()
        self._idle: asyncio.Future[None] | None = None

    async def idle(self) -> None:
        """Wait until all that can run without time passing has run. For one coroutine, on this selector's loop."""
        self._idle = asyncio.get_running_loop().create_future()
        await self._idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; in place of waiting, resume the coroutine that waits until the loop is idle."""
        if self._idle is None or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self._idle.set_result(None)
            self._idle = None
        return ready


class CastDriver(HeadlessDriver):
    """Passes what Textual writes to its `RecorderApp`."""

    is_headless = False  # or Textual would write nothing

    def write(self, data: str) -> None:
        """Collect `data`, other than the shape of the mouse pointer."""
        if not data.startswith("\x1b]"):
            cast("RecorderApp", self._app).written.append(data)


class _SteppedScreen(MainScreen):
    """A main screen whose tick is called by the recorder."""

    def __init__(self, run: RunModel, clock: Callable[[], float]) -> None:
        self._paused: list[Timer] = []
        """Textual (8.2) has only weak references to them."""
        super().__init__(run, clock, Pace(clock, lambda: 0.0))

    def set_interval(self, *arguments: Any, **options: Any) -> Timer:  # noqa: ANN401 - as Textual's
        """Prepare a timer that does not run."""
        self._paused.append(super().set_interval(*arguments, **(options | {"pause": True})))
        return self._paused[-1]


class RecorderApp(TweetgenApp, inherit_bindings=False):
    """The main screen over a replay, in the colours of a modern terminal, whatever the present one is."""

    def __init__(
        self, connection: ReplayedRun, store: PreferencesStore, size: tuple[int, int], clock: Callable[[], float]
    ) -> None:
        """Show what `connection` emits, with the theme and the glyphs of the user's preferences."""
        self.written: list[str] = []
        """Output of the app since the list was last cleared."""
        self._toasts: list[tuple[float, Notification]] = []
        self._covered_since: float | None = None
        self._clock = clock
        super().__init__(connection, RunView(is_replay=True), store=store)
        self.no_color = False  # `NO_COLOR` is about the present terminal
        width, height = size
        self.console = Console(file=StringIO(), width=width, height=height, color_system="truecolor", no_color=False)

    def _screen_of(self, run: RunModel) -> MainScreen:
        return _SteppedScreen(run, self._clock)

    def get_driver_class(self) -> type[Driver]:
        """Return the driver that notes what is written."""
        return CastDriver

    def on_notify(self, event: Notify) -> None:
        """Show a toast until `remove_outdated` removes it by the clock of the recording."""
        event.notification.timeout = _NEVER
        self._toasts.append((self._clock(), event.notification))

    def remove_outdated(self) -> None:
        """Remove the toasts and the dialog that have been shown for their time."""
        now = self._clock()
        while self._toasts and now - self._toasts[0][0] >= SHOWN_SECONDS:
            self._unnotify(self._toasts.pop(0)[1])
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
        self._seconds = 0.0
        self._replay = ReplayedRun(path, speed, lambda: self._seconds, max_gap_seconds)
        self._app = RecorderApp(self._replay, store, size, lambda: self._seconds)
        self._size = size
        self._selector = IdleSelector()

    @property
    def warning(self) -> str:
        """What of the journal can't be read, as a sentence; empty if nothing."""
        return self._replay.skipped.warning

    def record(self, on_seconds: Callable[[float], None]) -> list[Output]:
        """Return the output at each tick that changes the screen, and at the last one.

        `on_seconds` is called with the seconds recorded so far. Raises what the app fails with.
        """
        outputs: list[Output] = []

        async def play(_: Pilot[Any]) -> None:
            num_ticks = num_after_end = 0
            while self._app.failure is None and num_after_end <= _TICKS_AFTER_END:
                text = await self._drawn()
                num_after_end += not self._replay.is_alive
                if text or num_after_end > _TICKS_AFTER_END:
                    outputs.append((self._seconds, text))
                num_ticks += 1
                self._seconds = round(num_ticks * TICK_SECONDS, 3)
                on_seconds(self._seconds)
                self._app.remove_outdated()
                self._app.main.call_later(self._app.main.tick)
            self._app.exit()

        with (
            drawing_on_demand(),
            asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(self._selector)) as runner,
        ):
            runner.run(self._app.run_async(size=self._size, auto_pilot=play))
        if self._app.failure is not None:
            raise self._app.failure
        return outputs

    async def _drawn(self) -> str:
        """Return what is written once all that was changed is laid out and drawn, and all files are read."""
        texts: list[str] = []
        while True:
            await self._selector.idle()
            await self._app.workers.wait_for_complete()
            for screen in self._app.screen_stack[1:]:  # the first one is Textual's own
                update_screen(screen)
            await self._selector.idle()
            text, self._app.written = "".join(self._app.written), []
            if not text:
                return _LAST_MOVE.sub("", compacted("".join(texts)))
            texts.append(text)
