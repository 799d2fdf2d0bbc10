"""`Leaving`: quit, detach, and end a run before another; what an ending signal and ctrl+c do to the screen.

A run saves before it ends, and the screen waits for that, but not for ever. SIGINT and SIGTERM leave the screen, SIGHUP
detaches it or ends the run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from engine.errors import InternalError, exit_code_for
from engine.protocol.events import CommandRefused, RunFailed
from engine.storage.folders import home
from engine.text import sanitize_line
from tui.dialogs.ask import Question
from tui.lesson.stops import is_lesson_open, lesson_open_error
from tui.process.exit import UNSAVED_CODE, Outcome
from tui.process.screen_watch import PATIENCE_SECONDS
from tui.process.signals import HANGUP_CODE, INTERRUPTED_CODE, reason_of
from tui.run.model import RunModel
from tui.run.new_run import NewRun
from tui.terminal.private import Actions

if TYPE_CHECKING:
    from tui.app.app import TweetgenApp

_BY_USER = "stopped by the user"
_QUIT_AT_ONCE = "ctrl+c quits at once"
_MAX_SAVING_SECONDS = 5.0
_MAX_ABANDONING_SECONDS = 0.5
"""A run that has not started has nothing to save."""


class Leaving(Actions):
    """The actions `leaving.…` of keys. `receive` and `stop_run` may be called at any moment, on any thread."""

    def __init__(self, app: TweetgenApp) -> None:
        self.stops_on_hangup = False
        """Whether the run ends where its terminal hangs up, in place of continuing without a screen."""
        self._app = app
        self._clock: Callable[[], float] = time.monotonic
        self._then: Callable[[], None] = lambda: None
        """What follows the end of the run, while it is ending."""
        self._deadline = math.inf
        """When `_then` is called at the latest."""
        self._question: Question | None = None
        """The last question whether to stop or to detach."""
        self._unhandled: list[int] = []
        """Exit codes of the signals received and not handled yet: a handler can't act on the app, and a tick does."""
        self._is_taken_over = False
        self._drawing_stopped = ExitStack()

    @property
    def _run(self) -> RunModel:
        return self._app.main.run

    def tick(self, *, has_ended: bool) -> None:
        """Handle signals; do what follows the end, once the session has ended or the deadline has passed."""
        if self._unhandled and self._app.main.is_mounted:
            self.handle_signals()
        if self._run.is_ending and (has_ended or self._clock() > self._deadline):
            if not has_ended:  # no screen is left that could be asked whether to end without saving
                self._run.connection.stop(self._run.end_reason)
            then = self._then
            self._end()  # once: ticks continue for a while
            then()

    def _end(self, then: Callable[[], None] = lambda: None, deadline: float = math.inf) -> None:
        """Mark the run as ending: keys that were already pressed have no effect on it."""
        self._run.is_ending, self._then, self._deadline = True, then, deadline

    def action_leave(self) -> None:
        """Stop, save and quit; ask first where another process trains, as the run can continue."""
        run, connection = self._run, self._run.connection
        is_on = run.view.phase != "starting" and run.view.ended is None and connection.is_alive and not run.is_ending
        if not connection.is_remote or not is_on or connection.refusal:
            self.leave(0)
            return

        def leave(answer: str) -> None:
            if answer == "y" or (answer == "d" and self._run.view.ended is not None):
                self.leave(0)
            else:
                self.action_detach()

        others = "" if connection.num_screens < 2 else f" {connection.num_screens} screens are attached."
        text = f"The run {sanitize_line(run.view.name)} is in another process.{others} d closes this screen only."
        self._question = Question("Stop the run?", text, {"y": "stop the run", "d": "detach"}, look="frame")
        self._app.ask(self._question, leave)

    def action_lesson(self) -> None:
        """Ask, then leave this run for the lesson: one of this process is stopped, another one detached."""
        view, is_remote = self._run.view, self._run.connection.is_remote
        if is_lesson_open():
            error = lesson_open_error()
            self._app.main.toast(f"{error.message} {error.hint}", "warning")
            return
        if is_remote:
            text = "Another process trains this run; it continues. The lesson opens in its place."
        elif view.ended is not None or view.is_replay:
            text = "The lesson opens in place of this screen."
        else:
            stops = "This run is saved and stopped; tweetgen-tui --resume last continues it."
            text = f"{stops} The lesson opens in its place."

        def open_lesson() -> None:
            close = partial(self._close, Outcome(is_detached=is_remote, opens_lesson=True))
            if is_remote and not self._run.is_ending:
                close()
            elif not self._run.is_ending:  # a key that quits while the run is saved quits without the lesson
                self.end_then(close, _QUIT_AT_ONCE)

        self._ask("Open the lesson?", text, "open the lesson", open_lesson)

    def action_detach(self) -> None:

        def detach() -> None:
            if not self._run.is_ending:
                self._end()
                self.detach()

        if (problem := self._run.connection.attach_problem) and not self._run.is_ending:
            text = (
                f"No terminal can attach to this run: {sanitize_line(problem)} "
                "Without a screen it continues until its budget is used up or its process is terminated."
            )
            self._ask("Detach?", text, "detach", detach)
        else:
            detach()

    def detach(self, exit_code: int = 0) -> None:
        """Close the screen and let the run continue."""
        self._close(Outcome(exit_code=exit_code, is_detached=True))

    def leave(self, exit_code: int) -> None:
        """Quit once the session has saved and ended; a second call with a code other than 0 quits at once."""
        is_ending = self._run.is_ending
        leaving = partial(self._exit, exit_code, is_abandoned=is_ending and exit_code == INTERRUPTED_CODE)
        if not is_ending:
            # the sender of a signal can't answer a question
            may_ask = exit_code in {0, INTERRUPTED_CODE}
            self.end_then(leaving, _QUIT_AT_ONCE, reason_of(exit_code) or _BY_USER, may_ask=may_ask)
        elif exit_code == 0:
            self._then = leaving
        else:
            if self._run.end_reason:
                self._run.connection.stop(self._run.end_reason)
            leaving()

    def start_after(self, new: NewRun) -> None:
        """End this run, and start the one that a dialog answered with."""
        if not self._run.is_ending:
            self.end_then(partial(self._app.start_run, new.config, new.overlay), f"then a new run {new.origin}")

    def end_then(self, then: Callable[[], None], notice: str, reason: str = _BY_USER, *, may_ask: bool = True) -> None:
        """Ask the session to save and end; call `then` after that, or once the deadline has passed.

        If it can't save and `may_ask` is set, ask the user first.
        """
        view, connection = self._run.view, self._run.connection
        if view.ended is not None or not connection.is_alive:
            connection.stop(reason)  # one that has not started must not start any more
            then()
            return
        has_work = view.phase != "starting" and not view.is_replay
        self._end(then, self._clock() + (_MAX_SAVING_SECONDS if has_work else _MAX_ABANDONING_SECONDS))
        connection.stop(reason, unless_unsaved=may_ask)
        self._run.end_reason = "" if connection.refusal else reason
        self._app.main.show_notice(f"saving…  {sanitize_line(notice)}" if has_work else "ending…")

    def confirm_unsaved_exit(self, refusal: CommandRefused) -> None:
        """Ask whether to quit without saving, after the session has refused to end because it can't save."""
        was_ending, self._run.is_ending = self._run.is_ending, False
        reason, self._run.end_reason = self._run.end_reason or _BY_USER, ""
        self._app.main.show_notice("")
        if was_ending:  # else another screen of this run had asked
            then = partial(self.end_then, self._then, _QUIT_AT_ONCE, reason, may_ask=False)
            self._ask("Not saved", f"{refusal.detail} Quit anyway?", "quit without saving", then)

    def _ask(self, title: str, text: str, verb: str, then: Callable[[], None]) -> None:
        self._app.ask(Question(title, text, {"y": verb}), lambda _: then())

    def _exit(self, exit_code: int, *, is_abandoned: bool = False) -> None:
        """End the app. The code of a run that failed, or has lost steps, comes before the one asked for."""
        view = self._run.view
        if isinstance(view.ended, RunFailed):
            exit_code = exit_code_for(view.ended.title)
        elif view.ended is not None and view.num_unsaved_steps:
            exit_code = UNSAVED_CODE
        self._close(Outcome(exit_code=exit_code, is_abandoned=is_abandoned))

    def _close(self, outcome: Outcome) -> None:
        self._app.exit(replace(outcome, is_ending=bool(self._run.end_reason)), outcome.exit_code)

    # Signals and ctrl+c -----------------------------------------------------------------------------------------------

    def receive(self, code: int) -> None:
        """Record a signal by its exit code. For a signal's handler."""
        if self._app.return_code is None and not self._is_taken_over:
            self._unhandled.append(code)
        else:
            self.stop_run(code)
        # after ctrl+c, its reaction may be a question
        self._app.screen_watch.expect(None if code == INTERRUPTED_CODE else code)

    def stop_run(self, code: int) -> None:
        """End the run of this process where the screen is closing or closed; a hangup ends no run."""
        if code != HANGUP_CODE and not self._run.connection.is_remote:
            self._run.connection.stop(reason_of(code) or "")

    def outcome_without_screen(self, code: int | None) -> Outcome:
        """Stop the run or let it continue, in place of a screen that does not answer; return how it was closed.

        `code` is the exit code of a signal, or None after ctrl+c. Once the screen is mounted, ctrl+c ends no run: the
        user has not seen what it would do. Called once, on any thread.
        """
        self._is_taken_over = True
        if self._app.return_value is not None:  # it was closing; only the main thread can open the lesson
            return replace(self._app.return_value, opens_lesson=False)
        code = next(iter(self._unhandled), INTERRUPTED_CODE if code is None else code)
        if code == INTERRUPTED_CODE and self._app.main.is_mounted:
            where = f"For {PATIENCE_SECONDS:g} seconds ctrl+c had no effect. See {home() / 'tweetgen.log'}"
            return Outcome.failed(InternalError("It does not answer.", where))
        if not self._ends_run(code):
            return Outcome(exit_code=code, is_detached=True)
        self._run.connection.stop(reason_of(code) or "")
        return Outcome(exit_code=code, is_ending=True)

    def interrupt(self) -> None:
        """Leave as `q` does, with the exit code of SIGINT; the second time at once. A detached run continues."""
        app, main = self._app, self._app.main
        if app.return_code is not None:
            return
        if not main.is_mounted:
            self.receive(INTERRUPTED_CODE)
        elif main.is_running:  # else it can't leave, and the watch ends the program
            app.screen_watch.react()
            if not self._run.connection.is_remote:
                self.leave(INTERRUPTED_CODE)
            elif self._run.is_ending or app.screen is self._question:
                self.detach(INTERRUPTED_CODE)
            else:
                self.action_leave()

    def handle_signals(self) -> None:
        """Leave or detach, or end the run of a screen that is closing; draw nothing more after a hangup."""
        self._app.screen_watch.react()
        codes, self._unhandled = self._unhandled, []
        for code in codes:
            if code == HANGUP_CODE:
                self._drawing_stopped.enter_context(self._app.batch_update())
            if self._app.return_code is not None:
                self.stop_run(code)
            elif self._ends_run(code):
                self.leave(code)
            else:
                self.detach(code)

    def _ends_run(self, code: int) -> bool:
        """Return whether a signal ends the run; else the run continues."""
        is_remote = self._run.connection.is_remote
        is_own_replay = self._run.view.is_replay and not is_remote
        return self.stops_on_hangup or is_own_replay if code == HANGUP_CODE else not is_remote
