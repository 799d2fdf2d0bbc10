"""`LessonApp`: the app of the guided lesson. It returns an `Outcome`; the caller waits for its run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.process.exit import Outcome
from tui.process.screen_watch import ScreenWatch
from tui.process.signals import INTERRUPTED_CODE, reason_of
from tui.run.connection import OpenRun, RunConnection
from tui.run.view import RunView
from tui.screens.lesson.screen import LessonScreen
from tui.settings.preferences import PreferencesStore
from tui.terminal.app import TerminalApp
from tui.terminal.capabilities import GlyphSet

_BY_USER = "stopped by the user"


class LessonApp(TerminalApp[Outcome], inherit_bindings=False):
    """Show the lesson."""

    TITLE = "tweetgen-tui lesson"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", f"leave({INTERRUPTED_CODE})", "quit", show=False, priority=True, system=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True, system=True),
    ]

    def __init__(
        self,
        connection: RunConnection,
        open_run: OpenRun,
        view: RunView,
        progress_path: Path,
        glyphs: GlyphSet = "braille",
        *,
        is_utf8: bool = True,
        store: PreferencesStore | None = None,
    ) -> None:
        """Show the lesson on the run of `connection`, from `view` on; its progress is in the file `progress_path`."""
        self.store = store or PreferencesStore()
        preferred = self.store.preferences
        super().__init__(preferred.glyphs_on(glyphs), preferred.theme, is_utf8=is_utf8)
        self.lesson_screen = LessonScreen(connection, open_run, view, progress_path)
        self.screen_watch = ScreenWatch()
        """Ends the program in place of this screen if that does not answer a signal or ctrl+c."""
        self._leave_soon: Callable[[int], object] = lambda _: None
        self._early_code: int | None = None

    @property
    def connection(self) -> RunConnection:
        """That of the latest run."""
        return self.lesson_screen.run.connection

    @property
    def is_run_starting(self) -> bool:
        """Whether the latest run had nothing to save yet at the last tick, and those before have ended."""
        return self.lesson_screen.run.view.phase == "starting"

    def on_load(self) -> None:
        """Handle signals from here on, in the app's context."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        self._leave_soon = lambda code: loop.call_soon_threadsafe(self.action_leave, code, context=context)
        if self._early_code is not None:
            self._leave_soon(self._early_code)

    def on_mount(self) -> None:
        self.on_ctrl_c(self.screen_watch.expect)
        self.choose_theme()
        if not self.store.preferences.mouse:
            self.set_mouse(is_on=False)
        self.push_screen(self.lesson_screen)

    def receive(self, code: int) -> None:
        """Leave with an exit code. For a handler of signals."""
        self.screen_watch.expect(code)
        self._early_code = code
        self._leave_soon(code)

    def action_leave(self, code: int = 0) -> None:
        """Have the run save and end, and close the screen."""
        self.screen_watch.react()
        if self.return_code is None:
            self.lesson_screen.stop_run(reason_of(code) or _BY_USER)
            self.exit(Outcome(exit_code=code), code)
