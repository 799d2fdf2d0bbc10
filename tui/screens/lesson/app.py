"""`LessonApp`: the app of the guided lesson. It returns an `Outcome`; the caller waits for its run."""

from __future__ import annotations

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
_SIGNAL_SECONDS = 0.1
"""Time between two checks for a signal."""


class LessonApp(TerminalApp[Outcome], inherit_bindings=False):
    """The app of the guided lesson: its screen, signals and preferences."""

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
        self._signal_code: int | None = None
        """The exit code of the last signal: its handler can't act on the app, and a timer does."""

    @property
    def connection(self) -> RunConnection:
        """The connection to the latest run."""
        return self.lesson_screen.run.connection

    def on_mount(self) -> None:
        self.on_ctrl_c(self.screen_watch.expect)
        self.choose_theme()
        if not self.store.preferences.mouse:
            self.set_mouse(is_on=False)
        self.push_screen(self.lesson_screen)
        self.set_interval(_SIGNAL_SECONDS, self._handle_signal)

    def receive(self, code: int) -> None:
        """Leave soon with an exit code. For a handler of signals."""
        self._signal_code = code
        self.screen_watch.expect(code)

    def _handle_signal(self) -> None:
        if self._signal_code is not None:
            self.action_leave(self._signal_code)

    def action_leave(self, code: int = 0) -> None:
        """Have the run save and end, and close the screen."""
        self.screen_watch.react()
        if self.return_code is None:
            self.lesson_screen.stop_run(reason_of(code) or _BY_USER)
            self.exit(Outcome(exit_code=code), code)
