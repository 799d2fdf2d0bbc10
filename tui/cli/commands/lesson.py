"""`tweetgen-tui lesson`: the guided lesson on a small model that trains as one goes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from engine.config.run import RunConfig
from tui.cli.commands.screen import history_of, leave_process, leave_terminal, require_terminal, run_app
from tui.process.job_control import start_job_control
from tui.process.screen_watch import ENDING_SECONDS
from tui.process.signals import INTERRUPTED_CODE, handle_signals_after_screen, reason_of
from tui.terminal.capabilities import glyphs_for, is_utf8
from tui.terminal.output import print_at_end

if TYPE_CHECKING:
    from tui.lesson.progress import Progress
    from tui.process.exit import Outcome
    from tui.process.job_control import JobControl
    from tui.run.connection import RunConnection
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
    from tui.lesson.progress import Progress, lesson_home, lock_lesson, progress_path, read_progress, write_progress
    from tui.lesson.run import main_config, open_lesson_session
    from tui.process.exit import Outcome
    from tui.process.local import LocalRun
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
        history_of(config)[0],
        path,
        glyphs_for(os.environ, encoding),
        is_utf8=is_utf8(os.environ, encoding),
        store=store,
    )

    def leave(outcome: Outcome, saving_seconds: float) -> NoReturn:
        app.connection.wait(0.0 if app.is_run_starting else saving_seconds)
        print_at_end(*_last_lines(outcome, read_progress(path)))
        leave_process(outcome.exit_code)

    def take_over(exit_code: int | None) -> NoReturn:
        code = INTERRUPTED_CODE if exit_code is None else exit_code
        app.lesson_screen.run.stop(reason_of(code))
        leave_terminal(app, job_control)
        leave(Outcome(exit_code=code), ENDING_SECONDS)

    outcome = run_app(app, job_control, app.receive, take_over)
    if outcome.failure is not None:
        app.action_leave(outcome.exit_code)
    handle_signals_after_screen(lambda _: None, continues_in_background=False)
    leave(outcome, _SAVING_SECONDS)


def _last_lines(outcome: Outcome, progress: Progress) -> list[str]:
    """Return what is printed once the screen is closed."""
    if outcome.failure is not None:
        return [f"tweetgen-tui: The lesson has failed: {outcome.failure.message}", outcome.failure.hint]
    if progress.is_complete:
        return ["The lesson is done; tweetgen-tui --data FILE trains on your own lines."]
    return [f"The lesson continues at stop {progress.stop}: tweetgen-tui lesson"]
