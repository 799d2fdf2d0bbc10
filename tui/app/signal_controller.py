"""What an ending signal or ctrl+c does to the screen: SIGINT and SIGTERM leave it, SIGHUP detaches or ends the run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import ExitStack

from textual.app import App

from tui.process.outcome import Outcome
from tui.process.signals import HANGUP_CODE, INTERRUPTED_CODE, reason_of
from tui.run.bridge import Bridge
from tui.screens.dialogs.base import LeaveDialog
from tui.screens.main.screen import MainScreen

_RETRY_SECONDS = 0.02
"""How often a signal that came before the screen was mounted is tried again."""


class SignalController:
    """Receives ending signals for an app. `receive` and `stop_run` may be called at any moment, on any thread."""

    def __init__(self, app: App[Outcome], bridge: Callable[[], Bridge], main_screen: Callable[[], MainScreen]) -> None:
        """Act on the bridge and the main screen of the latest run."""
        self.stops_on_hangup = False
        """Whether the run ends where its terminal hangs up, in place of continuing without a screen."""
        self._app = app
        self._bridge = bridge
        self._main_screen = main_screen
        self._drawing_stopped = ExitStack()
        self._unhandled: list[int] = []
        """Exit codes of the signals received and not handled yet."""
        self._handle_soon: Callable[[], object] = lambda: None  # no loop runs yet

    def start(self) -> None:
        """Handle signals from here on, before the terminal is changed: a handler runs outside of the app's context."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def handle() -> None:
            if self._main_screen().is_mounted:
                self._handle_all()
            else:
                loop.call_later(_RETRY_SECONDS, handle, context=context)

        self._handle_soon = lambda: loop.call_soon_threadsafe(handle, context=context)
        if self._unhandled:
            self._handle_soon()

    def receive(self, code: int) -> None:
        """Leave as a signal asks, with exit code `code`."""
        if self._app.return_code is None:
            self._unhandled.append(code)
            self._handle_soon()
        else:
            self.stop_run(code)

    def stop_run(self, code: int) -> None:
        """End the run of this process where the screen is closing or closed; a hangup ends no run."""
        if code != HANGUP_CODE and not self._bridge().is_remote:
            self._bridge().stop(reason_of(code) or "")

    def interrupt(self) -> None:
        """Leave as `q` does, with the exit code of SIGINT; the second time at once. A detached run continues."""
        screen = self._main_screen()
        if self._app.return_code is not None:
            return
        if not screen.is_mounted:
            self.receive(INTERRUPTED_CODE)
        elif not self._bridge().is_remote:
            screen.leaving.leave(INTERRUPTED_CODE)
        elif screen.run.is_ending or isinstance(self._app.screen, LeaveDialog):
            screen.leaving.detach(INTERRUPTED_CODE)
        else:
            screen.leaving.action_leave()

    def _handle_all(self) -> None:
        """Leave or detach; draw nothing more where the terminal has hung up."""
        codes, self._unhandled = self._unhandled, []
        screen = self._main_screen()
        for code in codes:
            has_hung_up = code == HANGUP_CODE
            if has_hung_up:
                self._drawing_stopped.enter_context(self._app.batch_update())
            can_run_on = not (self.stops_on_hangup or screen.run_view.is_replay)
            if self._app.return_code is not None:
                self.stop_run(code)
            elif (self._bridge().is_remote and not (has_hung_up and self.stops_on_hangup)) or (
                has_hung_up and can_run_on
            ):
                screen.leaving.detach(code)
            else:
                screen.leaving.leave(code)
