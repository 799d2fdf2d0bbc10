"""What an ending signal or ctrl+c does to the screen: SIGINT and SIGTERM leave it, SIGHUP detaches or ends the run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import InternalError
from engine.storage.folders import home
from tui.dialogs.base import LeaveDialog
from tui.process.exit import Outcome
from tui.process.screen_watch import PATIENCE_SECONDS
from tui.process.signals import HANGUP_CODE, INTERRUPTED_CODE, reason_of
from tui.run.connection import RunConnection
from tui.screens.main.screen import MainScreen

if TYPE_CHECKING:
    from tui.app.app import TweetgenApp

_RETRY_SECONDS = 0.02
"""How often a signal that came before the screen was mounted is tried again."""


class SignalController:
    """Receives ending signals for an app. `receive` and `stop_run` may be called at any moment, on any thread."""

    def __init__(
        self, app: TweetgenApp, bridge: Callable[[], RunConnection], main_screen: Callable[[], MainScreen]
    ) -> None:
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
        self._is_taken_over = False

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
        if self._app.return_code is None and not self._is_taken_over:
            self._unhandled.append(code)
            self._handle_soon()
        else:
            self.stop_run(code)
        if code == INTERRUPTED_CODE:
            self._app.screen_watch.expect_reaction()  # it may be a question
        else:
            self._app.screen_watch.expect_end(code)

    def stop_run(self, code: int) -> None:
        """End the run of this process where the screen is closing or closed; a hangup ends no run."""
        if code != HANGUP_CODE and not self._bridge().is_remote:
            self._bridge().stop(reason_of(code) or "")

    def outcome_without_screen(self, code: int | None) -> Outcome:
        """Stop the run or let it continue, in place of a screen that does not answer; return how it was closed.

        `code` is the exit code of a signal, or None after ctrl+c. Once the screen is mounted, ctrl+c ends no run: the
        user has not seen what it would do. Called once, on any thread.
        """
        self._is_taken_over = True
        if self._app.return_value is not None:  # it was closing; only the main thread can open the lesson
            return replace(self._app.return_value, opens_lesson=False)
        code = next(iter(self._unhandled), INTERRUPTED_CODE if code is None else code)
        if code == INTERRUPTED_CODE and self._main_screen().is_mounted:
            where = f"For {PATIENCE_SECONDS:g} seconds ctrl+c had no effect. See {home() / 'tweetgen.log'}"
            return Outcome.failed(InternalError("It does not answer.", where))
        if not self._ends_run(code):
            return Outcome(exit_code=code, is_detached=True)
        self._bridge().stop(reason_of(code) or "")
        return Outcome(exit_code=code, is_ending=True)

    def interrupt(self) -> None:
        """Leave as `q` does, with the exit code of SIGINT; the second time at once. A detached run continues."""
        screen = self._main_screen()
        if self._app.return_code is not None:
            return
        if not screen.is_mounted:
            self.receive(INTERRUPTED_CODE)
            return
        if not screen.is_running:
            return  # it can't leave; the watch does
        self._app.screen_watch.react()
        if not self._bridge().is_remote:
            screen.leaving.leave(INTERRUPTED_CODE)
        elif screen.run.is_ending or isinstance(self._app.screen, LeaveDialog):
            screen.leaving.detach(INTERRUPTED_CODE)
        else:
            screen.leaving.action_leave()

    def _handle_all(self) -> None:
        """Leave or detach; draw nothing more where the terminal has hung up."""
        screen = self._main_screen()
        if not screen.is_running:
            return  # it can't leave; the watch does
        self._app.screen_watch.react()
        codes, self._unhandled = self._unhandled, []
        for code in codes:
            if code == HANGUP_CODE:
                self._drawing_stopped.enter_context(self._app.batch_update())
            if self._app.return_code is not None:
                self.stop_run(code)
            elif self._ends_run(code):
                screen.leaving.leave(code)
            else:
                screen.leaving.detach(code)

    def _ends_run(self, code: int) -> bool:
        """Return whether a signal ends the run, in place of leaving it on."""
        if code == HANGUP_CODE:
            return self.stops_on_hangup or (self._main_screen().run_view.is_replay and not self._bridge().is_remote)
        return not self._bridge().is_remote
