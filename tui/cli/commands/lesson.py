"""`tweetgen-tui lesson`: the guided lesson on a small model that trains as one goes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from engine.config.run import RunConfig
from engine.errors import InternalError
from engine.storage.folders import find_run
from tui.cli.commands.screen import leave_process, leave_terminal, require_terminal
from tui.process.job_control import start_job_control
from tui.process.screen_watch import ENDING_SECONDS
from tui.process.signals import INTERRUPTED_CODE, handle_ending_signals, handle_signals_after_screen, reason_of
from tui.terminal.capabilities import glyphs_for, is_utf8
from tui.terminal.output import print_at_end

if TYPE_CHECKING:
    from pathlib import Path

    from tui.lesson.progress import Progress
    from tui.process.exit import Outcome
    from tui.process.job_control import JobControl
    from tui.run.connection import RunConnection
    from tui.run.view import RunView
    from tui.screens.lesson.app import LessonApp
    from tui.settings.preferences import PreferencesStore

_SAVING_SECONDS = 5.0


def lesson(
    *,
    stop: Annotated[
        int | None, typer.Option("--stop", metavar="N", min=1, max=8, help="Begin at this stop, 1 to 8.")
    ] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")] = False,
) -> None:
    """See each idea of the tutorial happen on a small model.

    Eight stops of two or three minutes: characters, the model, teacher forcing, overfitting one tweet, temperature,
    batches, training, what it learned. It continues where you left it.

    Examples:
    tweetgen-tui lesson
    tweetgen-tui lesson --stop 4
    """
    require_terminal("It needs a terminal of at least 40 columns and 12 rows.")

    job_control = start_job_control()

    from tui.settings.preferences import PreferencesStore, preferences_path

    store = PreferencesStore(preferences_path())
    if ascii_only:
        store.change({"glyphs": "ascii"})
    open_lesson(store, job_control, stop)


def open_lesson(store: PreferencesStore, job_control: JobControl, stop: int | None = None) -> NoReturn:
    """Show the lesson until it is left; exit once its run has saved and ended. No other run may be in this process.

    Begins at a stop, or where it was left. Raises `StorageError` if another process has the lesson open.
    """
    from tui.lesson.lock import lock_lesson
    from tui.lesson.progress import Progress, lesson_home, progress_path, read_progress, write_progress
    from tui.lesson.runs import main_config, open_lesson_session
    from tui.process.exit import Outcome
    from tui.process.local import LocalRun
    from tui.run.connection import to_tweetgen_error
    from tui.screens.lesson.app import LessonApp

    lock_lesson()  # until this process ends
    path = progress_path()
    if stop is not None:
        write_progress(path, Progress(stop, read_progress(path).done))
    os.environ["TWEETGEN_HOME"] = str(lesson_home())  # its runs are not among the user's
    config = main_config()

    def open_run(config: RunConfig, before: RunConnection | None) -> RunConnection:
        return LocalRun(config, open_lesson_session, before)

    encoding = sys.stderr.encoding  # where Textual draws
    app = LessonApp(
        open_run(config, None),
        open_run,
        _history(config),
        path,
        glyphs_for(os.environ, encoding),
        is_utf8=is_utf8(os.environ, encoding),
        store=store,
    )
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # even if ignored before: the driver reports a lost terminal by it
    handle_ending_signals(app.receive)
    app.screen_watch.start(partial(_take_over, app, job_control, path))
    with job_control.drawing():
        outcome = app.run()
    app.screen_watch.close()
    if app.failure is not None or outcome is None:
        app.action_leave(InternalError.exit_code)
        outcome = Outcome.failed(
            to_tweetgen_error(app.failure or InternalError("It closed unexpectedly."), "The lesson")
        )
    handle_signals_after_screen(lambda _: None, continues_in_background=False)
    _leave_after_screen(outcome, app, path, _SAVING_SECONDS)


def _take_over(app: LessonApp, job_control: JobControl, progress: Path, exit_code: int | None) -> NoReturn:
    """Stop the run and leave in place of a lesson that does not answer a signal, or ctrl+c for None."""
    from tui.process.exit import Outcome

    code = INTERRUPTED_CODE if exit_code is None else exit_code
    app.lesson_screen.lesson.run.stop(reason_of(code))
    leave_terminal(app, job_control)
    _leave_after_screen(Outcome(exit_code=code), app, progress, ENDING_SECONDS)


def _leave_after_screen(outcome: Outcome, app: LessonApp, progress: Path, saving_seconds: float) -> NoReturn:
    """Wait until the runs have ended, print how to continue, and exit."""
    from tui.lesson.progress import read_progress

    app.connection.wait(0.0 if app.is_run_starting else saving_seconds)
    print_at_end(_last_lines(outcome, read_progress(progress)))
    leave_process(outcome.exit_code)


def _history(config: RunConfig) -> RunView:
    """Return the view of the run that is resumed, with which its curve begins."""
    from tui.run.journal import read_history
    from tui.run.view import RunView

    if config.resume is not None:
        with contextlib.suppress(OSError):  # without a journal, the curve starts here
            return read_history(find_run(config.resume).journal_path)[0].for_resume()
    return RunView()


def _last_lines(outcome: Outcome, progress: Progress) -> list[str]:
    """Return what is printed once the screen is closed."""
    if outcome.failure is not None:
        return [f"tweetgen-tui: The lesson has failed: {outcome.failure.message}", outcome.failure.hint]
    if progress.is_complete:
        return ["The lesson is done; tweetgen-tui --data FILE trains on your own lines."]
    return [f"The lesson continues at stop {progress.stop}: tweetgen-tui lesson"]
