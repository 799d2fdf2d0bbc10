"""How a screen was closed, and what its process does then: exit code, printed lines, whether the run continues.

A run that continues without a screen has no terminal; clients may attach through its host. Imports no Textual.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import InternalError, TweetgenError, exit_code_for
from engine.protocol.events import RunFailed, RunFinished
from tui.process.signals import EXIT_CODES, handle_ending_signals, stop_at_signals
from tui.run.connection import RunConnection
from tui.run.fold import fold
from tui.run.summary import busy_line, end_lines, how_to_attach
from tui.run.view import RunView, is_over

UNSAVED_CODE = TweetgenError.exit_code
"""Exit code of a run that ended without saving its last steps, whatever ended it."""
_SAVING_SECONDS = 5.0
_POLL_SECONDS = 0.2


def exit_code_of(view: RunView) -> int:
    """Return the exit code of the program after this run."""
    match view.ended:
        case RunFailed(title=title):
            return exit_code_for(title)
        case RunFinished(reason=reason):
            return UNSAVED_CODE if view.num_unsaved_steps else EXIT_CODES.get(reason, 0)
        case None:
            return 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a screen was closed: the return value of the app."""

    exit_code: int = 0
    is_detached: bool = False
    """The run is to continue without the screen."""
    is_ending: bool = False
    """The run was asked to save and end."""
    opens_lesson: bool = False
    """The process is to open the lesson once the run has ended."""
    is_abandoned: bool = False
    """The user did not wait for that."""
    failure: TweetgenError | None = None
    """The error of the screen itself that closed it."""

    @classmethod
    def failed(cls, error: TweetgenError) -> Outcome:
        """Return the outcome of a screen that an error closed; the run is to continue."""
        return cls(exit_code=InternalError.exit_code, is_detached=True, failure=error)


@dataclass(frozen=True, kw_only=True)
class ExitPlan:
    """What a process does once its screen is closed."""

    exit_code: int
    lines: tuple[str, ...]
    """Printed on stderr."""
    continues_in_background: bool = False
    """Whether it continues its run in the background, and releases the shell."""
    saving_seconds: float = 0.0
    """How long it waits for its runs to save and end."""


def plan_exit(outcome: Outcome, run: RunConnection, view: RunView, earlier_views: Iterable[RunView] = ()) -> ExitPlan:
    """Return what the process does after `outcome`, where the latest run has `view`. Changes nothing."""
    # a session that was asked to end, and is in a long step, ends without the screen
    is_late = view.phase != "starting" and not outcome.is_abandoned
    may_run_on = run.is_alive and not view.is_replay
    if view.ended is None and (run.is_remote or (may_run_on and (outcome.is_detached or is_late))):
        line = busy_line(view) if outcome.is_ending else how_to_attach(view, run.attach_problem)
        return ExitPlan(exit_code=outcome.exit_code, lines=(line,), continues_in_background=not run.is_remote)
    return ExitPlan(
        exit_code=outcome.exit_code,
        lines=tuple(end_lines(view, earlier_views)),
        saving_seconds=0.0 if outcome.is_abandoned or view.phase == "starting" else _SAVING_SECONDS,
    )


def run_detached(run: RunConnection, view: RunView) -> int:
    """Wait until a run and those before it have ended, and return the exit code; `view` is its current state.

    A run whose budget is used up ends unless a client is attached. SIGTERM and SIGINT save and end it; on another
    thread than the main one, that is left to the handlers there are.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal is closed
        handle_ending_signals(stop_at_signals(run.stop))
    was_stopped = False
    while not run.wait(_POLL_SECONDS):
        view = fold(view, run.drain().events)
        if is_over(view) and not was_stopped and not run.num_clients:
            was_stopped = True
            run.stop("finished")
    return exit_code_of(fold(view, run.drain().events))
