"""Leaving: quit, detach, and ending this run before another starts. A run saves before it ends; the screen waits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from textual.timer import Timer

from engine.errors import exit_code_for
from engine.protocol.events import CommandRefused, RunFailed
from engine.text import sanitize_line
from tui.dialogs.ask import Question
from tui.lesson.lock import is_lesson_open, lesson_open_error
from tui.process.exit import UNSAVED_CODE, Outcome
from tui.process.signals import INTERRUPTED_CODE, reason_of
from tui.screens.main.run_control import Controller, RunControl

_TICK_SECONDS = 0.02
_BY_USER = "stopped by the user"
_QUIT_AT_ONCE = "ctrl+c quits at once"
_MAX_SAVING_SECONDS = 5.0
_MAX_ABANDONING_SECONDS = 0.5
"""A run that has not started has nothing to save."""


@dataclass(frozen=True)
class _Ending:
    """A session that was asked to end: what follows, how long to wait for it, and the reason."""

    then: Callable[[], None] = lambda: None
    deadline: float = math.inf
    reason: str = _BY_USER


class LeavingController(Controller):
    """Quit, detach, or end a run."""

    def __init__(self, run: RunControl, clock: Callable[[], float]) -> None:
        """Leave this run; wait by `clock`."""
        super().__init__(run)
        self._has_asked_to_end = False
        """Whether the run was asked to end, and has not refused."""
        self._clock = clock
        self._ending: _Ending | None = None
        self._timer: Timer | None = None
        self.question: Question | None = None
        """The last question whether to stop or to detach."""

    def mount(self, tick: Callable[[], None]) -> None:
        """Prepare a timer that calls `tick` more often while the session ends."""
        self._timer = self._run.screen.set_interval(_TICK_SECONDS, tick, pause=True)

    def tick(self, *, has_ended: bool) -> None:
        """Call what follows the end, once the session has ended or the deadline has passed."""
        ending = self._ending
        if ending is not None and (has_ended or self._clock() > ending.deadline):
            self._set_ending(_Ending())  # once: ticks continue for a while
            if not has_ended:  # no screen is left that could be asked whether to end without saving
                self._run.bridge.stop(ending.reason)
            ending.then()

    def action_leave(self) -> None:
        """Stop, save and quit; ask first where another process trains, as the run can continue."""
        bridge = self._run.bridge
        has_started = self._run.view.phase != "starting"
        is_on = has_started and self._run.view.ended is None and bridge.is_alive and not self._run.is_ending
        if bridge.is_remote and is_on and not bridge.refusal:
            others = "" if bridge.num_screens < 2 else f" {bridge.num_screens} screens are attached."
            text = f"The run {sanitize_line(self._run.name)} is in another process.{others} d closes this screen only."
            self.question = Question("Stop the run?", text, {"y": "stop the run", "d": "detach"}, look="frame")
            self._run.app.push_screen(self.question, self._leave_as_answered)
        else:
            self.leave(0)

    def _leave_as_answered(self, answer: str | None) -> None:
        if answer == "stop the run" or (answer == "detach" and self._run.view.ended is not None):
            self.leave(0)
        elif answer == "detach":
            self.action_detach()

    def action_lesson(self) -> None:
        """Ask, then leave this run for the lesson: one of this process is stopped, another one detached."""
        if is_lesson_open():
            error = lesson_open_error()
            self._run.messages.toast(f"{error.message} {error.hint}", "warning")
            return
        if self._run.bridge.is_remote:
            question = "Another process trains this run; it continues. The lesson opens in its place."
        elif self._run.view.ended is not None or self._run.view.is_replay:
            question = "The lesson opens in place of this screen."
        else:
            stops = "This run is saved and stopped; tweetgen-tui --resume last continues it."
            question = f"{stops} The lesson opens in its place."
        self._run.app.push_screen(Question("Open the lesson?", question, {"y": "open the lesson"}), self._open_lesson)

    def _open_lesson(self, answer: str | None) -> None:
        """Leave with the lesson as what follows. A key that quits while the run is saved quits without the lesson."""
        if answer and not self._run.is_ending:
            if self._run.bridge.is_remote:
                self._close(0, is_detached=True, opens_lesson=True)
            else:
                self.end_then(partial(self._close, 0, opens_lesson=True), _QUIT_AT_ONCE)

    def action_detach(self) -> None:
        """Close the screen; the run continues."""
        problem = self._run.bridge.attach_problem
        if not self._run.allows("a run to leave"):
            return
        if not self._run.is_ending and problem:
            question = (
                f"No terminal can attach to this run: {sanitize_line(problem)} "
                "Without a screen it continues until its budget is used up or its process is terminated."
            )
            self._run.app.push_screen(Question("Detach?", question, {"y": "detach"}), self._detach_as_answered)
        else:
            self._detach_once()

    def _detach_as_answered(self, answer: str | None) -> None:
        if answer:
            self._detach_once()

    def _detach_once(self) -> None:
        if not self._run.is_ending:
            self._set_ending(_Ending())  # a key that was already pressed must not end the run
            self.detach()

    def detach(self, exit_code: int = 0) -> None:
        """Close the screen and let the run continue."""
        self._close(exit_code, is_detached=True)

    def leave(self, return_code: int) -> None:
        """Quit once the session has saved and ended; a second call with a code other than 0 quits at once."""
        is_abandoned = self._run.is_ending and return_code == INTERRUPTED_CODE
        leaving = partial(self._exit, return_code, is_abandoned=is_abandoned)
        if self._ending is None:
            reason = reason_of(return_code) or _BY_USER
            # the sender of a signal can't answer a question
            self.end_then(leaving, _QUIT_AT_ONCE, reason, may_ask=return_code in {0, INTERRUPTED_CODE})
        elif return_code != 0:
            if self._has_asked_to_end:
                self._run.bridge.stop(self._ending.reason)
            leaving()
        else:
            self._ending = replace(self._ending, then=leaving)

    def end_then(self, then: Callable[[], None], notice: str, reason: str = _BY_USER, *, may_ask: bool = True) -> None:
        """Ask the session to save and end; call `then` after that, or once the deadline has passed.

        If it can't save and `may_ask` is set, ask the user first.
        """
        bridge, view = self._run.bridge, self._run.view
        if view.ended is not None or not bridge.is_alive:
            bridge.stop(reason)  # one that has not started must not start any more
            then()
            return
        has_work = view.phase != "starting" and not view.is_replay
        patience = _MAX_SAVING_SECONDS if has_work else _MAX_ABANDONING_SECONDS
        self._set_ending(_Ending(then, self._clock() + patience, reason))
        bridge.stop(reason, unless_unsaved=may_ask)
        self._has_asked_to_end = not bridge.refusal
        self._run.panels.show_notice(f"saving…  {sanitize_line(notice)}" if has_work else "ending…")
        if self._timer is not None:
            self._timer.resume()

    def confirm_unsaved_exit(self, refusal: CommandRefused) -> None:
        """Ask whether to quit without saving, after the session has refused to end because it can't save."""
        ending = self._ending
        self._set_ending(None)
        self._has_asked_to_end = False
        if self._timer is not None:
            self._timer.pause()
        self._run.panels.show_notice("")
        if ending is None:  # another screen of this run had asked
            return

        def answer(choice: str | None) -> None:
            if choice:
                self.end_then(ending.then, _QUIT_AT_ONCE, ending.reason, may_ask=False)

        question = f"{refusal.detail} Quit anyway?"
        self._run.app.push_screen(Question("Not saved", question, {"y": "quit without saving"}), answer)

    def _set_ending(self, ending: _Ending | None) -> None:
        self._ending = ending
        self._run.is_ending = ending is not None

    def _exit(self, return_code: int, *, is_abandoned: bool = False) -> None:
        """End the app. The code of a run that failed, or has lost steps, comes before the one asked for."""
        ended = self._run.view.ended
        if isinstance(ended, RunFailed):
            return_code = exit_code_for(ended.title)
        elif ended is not None and self._run.view.num_unsaved_steps:
            return_code = UNSAVED_CODE
        self._close(return_code, is_abandoned=is_abandoned)

    def _close(
        self, exit_code: int, *, is_detached: bool = False, is_abandoned: bool = False, opens_lesson: bool = False
    ) -> None:
        outcome = Outcome(
            exit_code=exit_code,
            is_detached=is_detached,
            is_ending=self._has_asked_to_end,
            is_abandoned=is_abandoned,
            opens_lesson=opens_lesson,
        )
        self._run.app.exit(outcome, exit_code)
