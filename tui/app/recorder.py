"""Records the replay of a journal without a terminal: the main screen at the times of a clock that only this moves.

What is recorded depends on the journal, its run's pins, the speed, the size and the user's preferences, not on this
machine: no timer of the main screen runs, and a picture is taken once nothing changes it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.filter import LineFilter, Monochrome
from textual.notifications import Notification, Notify, SeverityLevel
from textual.pilot import Pilot
from textual.strip import Strip
from textual.timer import Timer

from engine.config.run import RunConfig
from tui.app.idle_selector import IdleSelector
from tui.app.preferences_controller import preferred_glyphs
from tui.app.terminal_app import TerminalApp
from tui.files.cast import TimedFrame
from tui.run.branching import OverlayCurve
from tui.run.bridge import Bridge
from tui.run.journal_bridge import JournalBridge
from tui.run.view import RunView
from tui.screens.main.screen import TICK_SECONDS, MainScreen
from tui.screens.main.services import Services
from tui.settings.preferences import AUTO
from tui.settings.store import PreferencesStore
from tui.settings.theme import theme_for
from tui.terminal.frame_pacing import FramePacing
from tui.terminal.screen_frames import FrameReader
from tui.terminal.textual_private import drawn_strips, remove_notification, update_screen

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


def _start_nothing(config: RunConfig, overlay: OverlayCurve | None = None) -> None:
    """Do nothing: no key is pressed."""


class _SteppedScreen(MainScreen):
    """A main screen whose tick is called by the recorder."""

    def __init__(self, bridge: Bridge, services: Services, clock: Clock) -> None:
        self._paused: list[Timer] = []
        """Textual (8.2) has only weak references to them."""
        pace = FramePacing(clock, lambda: 0.0, is_remote=False)
        super().__init__(bridge, RunView(is_replay=True), services, clock, pace=pace)

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


class RecorderApp(TerminalApp, inherit_bindings=False):
    """The main screen over a replay, in the colours of a modern terminal, whatever the present one is."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, bridge: Bridge, store: PreferencesStore, clock: Clock) -> None:
        """Show what `bridge` emits, with the theme and the glyphs of the user's preferences."""
        preferences = store.preferences
        theme = theme_for("truecolor") if preferences.theme == AUTO else preferences.theme
        super().__init__(preferred_glyphs(store, "braille"), theme)
        self.set_reactive(TerminalApp.loss_unit, preferences.loss_unit)
        self.no_color = False
        self._clock = clock
        self._toasts: list[tuple[float, Notification]] = []
        self._covered_since: float | None = None
        services = Services(list, lambda _: None, _start_nothing, store)
        self.main_screen = _SteppedScreen(bridge, services, clock)

    def get_line_filters(self) -> list[LineFilter]:
        """Return the filters without that of `NO_COLOR`, which is about the present terminal."""
        return [each for each in super().get_line_filters() if not isinstance(each, Monochrome)]

    def on_mount(self) -> None:
        """Choose the theme and show the replay."""
        self.choose_theme()
        self.push_screen(self.main_screen)

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
        if self.screen is self.main_screen:
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
        self._bridge = JournalBridge(path, speed, max_gap_seconds, self._clock)
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
            self._app.main_screen.call_later(self._app.main_screen.tick)

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
