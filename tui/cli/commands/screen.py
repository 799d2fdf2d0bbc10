"""The screens, and the lines printed after them: `tweetgen-tui` without a command, and `tweetgen-tui lesson`."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from engine.config.presets import OVERFIT_PACE
from engine.config.run import RunConfig, Setting
from engine.errors import ConfigError, DistributedError, InternalError
from engine.session.startup import preflight
from engine.storage.folders import find_run
from engine.text import quoted
from tui.cli.output import report
from tui.process.job_control import JobControl, start_job_control
from tui.process.screen_watch import ENDING_SECONDS
from tui.process.signals import (
    INTERRUPTED_CODE,
    close_terminal,
    handle_ending_signals,
    handle_signals_after_screen,
    reason_of,
)
from tui.process.torchrun import Processes, Torchrun, may_have_gpu, runs_that_are_on
from tui.terminal.capabilities import GlyphSet, glyphs_for, is_in_browser, is_utf8
from tui.terminal.output import print_at_end

if TYPE_CHECKING:
    from tui.app.app import TweetgenApp
    from tui.lesson.stops import Progress
    from tui.process.exit import Outcome
    from tui.run.connection import OpenRun, RunConnection
    from tui.run.view import RunView
    from tui.screens.lesson.app import LessonApp
    from tui.settings.preferences import PreferencesStore
    from tui.terminal.app import TerminalApp

_LESSON_SAVING_SECONDS = 5.0


def open_screen(
    config: RunConfig, glyphs: GlyphSet | None = None, *, stops_on_hangup: bool = False, num_processes: int = 1
) -> None:
    """Open the screen, and print a summary when it is closed. Raises `TweetgenError` before anything is shown.

    `glyphs` override the user's preferences and the terminal's locale. Where the terminal hangs up, the run continues
    without a screen, unless it `stops_on_hangup`. Several processes, `num_processes` or `AUTO`, are others than this.
    """
    from engine.session.ranks.place import place_from_environment

    if place_from_environment() is not None:
        raise DistributedError(
            "RANK is set in the environment, as torchrun does: a screen can't be one of several processes.",
            "torchrun ... -m tui train starts them, tweetgen-tui attach in another terminal shows the run.",
        )
    require_terminal("Without one: tweetgen-tui train, which takes the same options.")
    job_control = start_job_control()

    from tui.lesson.stops import invitation_to_lesson
    from tui.settings.preferences import PreferencesStore, preferences_path

    store = PreferencesStore(preferences_path())
    if glyphs is not None:
        store.change({"glyphs": glyphs})
    if config.resume is None:  # a resumed run has its own settings
        config = with_screen_settings(config, store.preferences.intervals)
    preflight.check(config)
    history, warning = _history_of(config)
    if warning:
        report(warning)
    # with a GPU, torchrun's own thread counts them: that imports torch
    known = None if may_have_gpu() and num_processes != 1 else Processes.choose(num_processes, config)
    is_local = known is not None and known.count == 1
    open_run = local_runs(job_control) if is_local else _torchrun_runs(num_processes, job_control)
    connection = open_run(config, None)
    note = known.note if known is not None and is_local else ""
    connection.welcome = note or _runs_in_background()
    invitation = invitation_to_lesson() if config.resume is None else ""
    show(connection, history, open_run, store, job_control, stops_on_hangup=stops_on_hangup, invitation=invitation)


def _runs_in_background() -> str:
    """Return which run trains without this screen, or how many do; empty if none does."""
    match [quoted(run.name) for run in runs_that_are_on()]:
        case []:
            return ""
        case [name]:
            return f"The run {name} trains in the background: tweetgen-tui attach {name} shows it."
        case names:
            return f"{len(names)} runs train in the background: tweetgen-tui runs list shows which."


def _history_of(config: RunConfig) -> tuple[RunView, str]:
    """Return the view with which a run begins, and a warning about the journal of a resumed one."""
    from tui.run.journal import read_history
    from tui.run.view import RunView

    if config.resume is not None:
        with contextlib.suppress(OSError):  # without a journal, the curve starts here
            history, warning = read_history(find_run(config.resume).journal_path)
            return history.for_resume(), warning
    return RunView(), ""


def local_runs(job_control: JobControl) -> OpenRun:
    """Return what opens the runs that this process trains."""
    from tui.process.local import LocalRun

    return lambda config, before: LocalRun(config, before=before, on_run=job_control.set_active_run)


def _torchrun_runs(num_processes: int, job_control: JobControl) -> OpenRun:
    """Return what opens the runs that others train, as many processes each."""
    from tui.process.attached import AttachedRun

    def open_run(config: RunConfig, before: RunConnection | None) -> RunConnection:
        torchrun = Torchrun(config, num_processes, is_for_screen=True)
        job_control.set_active_run(torchrun.run.name, is_remote=True)
        return AttachedRun(torchrun.run, torchrun=torchrun, before=before)

    return open_run


def with_screen_settings(config: RunConfig, intervals: Mapping[str, Setting]) -> RunConfig:
    """Return a new run with the user's `intervals`, and at a pace to watch if it overfits; its own settings win."""
    pace = OVERFIT_PACE if config.corpus is not None and config.corpus.overfit is not None else {}
    return replace(config, settings={**intervals, **pace, **config.settings})


def require_terminal(hint: str) -> None:
    """Raise `ConfigError` with this hint without a terminal, or a browser, to draw on."""
    if is_in_browser(os.environ):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or os.environ.get("TERM", "") in ("", "dumb"):
        raise ConfigError("The screen needs a terminal.", hint)


def show(
    connection: RunConnection,
    history: RunView,
    open_run: OpenRun,
    store: PreferencesStore,
    job_control: JobControl,
    *,
    stops_on_hangup: bool = False,
    invitation: str = "",
) -> NoReturn:
    """Show a run, and those that `open_run` opens after it; then print a summary, and exit once they have ended."""
    from tui.app.app import TweetgenApp

    encoding = sys.stderr.encoding  # where Textual draws
    app = TweetgenApp(
        connection,
        history,
        open_run=open_run,
        store=store,
        glyphs=glyphs_for(os.environ, encoding),
        is_utf8=is_utf8(os.environ, encoding),
    )
    app.main.invitation = invitation
    app.leaving.stops_on_hangup = stops_on_hangup

    def take_over(exit_code: int | None) -> NoReturn:
        outcome = app.leaving.outcome_without_screen(exit_code)
        if outcome.is_ending:
            app.connection.wait(ENDING_SECONDS)
        _leave_terminal(app, job_control)
        leave_process(_run_after_screen(outcome, app, job_control))

    outcome = _run_app(app, job_control, app.leaving.receive, take_over)
    handle_signals_after_screen(app.leaving.stop_run, continues_in_background=outcome.is_detached)
    leave_process(_run_after_screen(outcome, app, job_control))


def _run_app(
    app: TweetgenApp | LessonApp,
    job_control: JobControl,
    on_signal: Callable[[int], None],
    take_over: Callable[[int | None], NoReturn],
) -> Outcome:
    """Run an app until it is closed; return how it was closed.

    Where it does not answer a signal, or ctrl+c for None, `take_over` ends the program, on a thread of its own.
    """
    from tui.process.exit import Outcome
    from tui.run.connection import to_tweetgen_error

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # even if ignored before: the driver reports a lost terminal by it
    handle_ending_signals(on_signal)
    app.screen_watch.start(take_over)
    gc.freeze()
    gc.enable()
    with job_control.drawing():
        outcome = app.run()
    app.screen_watch.close()
    if app.has_lost_output:  # the sequences that restore the terminal were in it
        job_control.stop_drawing()
    if outcome is not None and app.failure is None:
        return outcome
    failure = app.failure or InternalError("It closed unexpectedly.", "The log may have details.")
    return Outcome.failed(to_tweetgen_error(failure, "The screen"))


def _leave_terminal(app: TerminalApp[Outcome], job_control: JobControl) -> None:
    """Restore the terminal in place of a screen that does not answer; drop further output if it accepts none."""
    if not app.abandon_terminal():
        close_terminal()
    job_control.stop_drawing()


def _run_after_screen(outcome: Outcome, app: TweetgenApp, job_control: JobControl) -> int:
    """Do what `plan_exit` returns; return the exit code once the runs of this process have ended or are late."""
    from tui.process.exit import plan_exit, run_detached
    from tui.run.fold import fold

    if outcome.failure is not None:
        print_at_end(f"tweetgen-tui: The screen has failed: {outcome.failure.message}", outcome.failure.hint)
    run = app.connection
    update = run.drain()  # the run may have started since the last tick
    view = fold(update.view or app.summary_view, update.events)
    after = plan_exit(outcome, run, view, app.earlier_views)
    if after.continues_in_background:
        print_at_end(*after.lines)
        close_terminal(and_pipes=True)
        job_control.release(after.exit_code, after.lines[0])
        app.screen_watch.has_no_limit.set()
        return run_detached(run, view)
    run.wait(after.saving_seconds)
    print_at_end(*after.lines)
    if outcome.opens_lesson:
        open_lesson(app.store, job_control)
    return after.exit_code


def leave_process(exit_code: int) -> NoReturn:
    """Exit once the threads that write have ended, unless the disk blocks.

    Without an orderly shutdown: that of torch takes a second, and would wait for a thread that is still importing it.
    """
    from tui.process.threads import MAX_WRITING_SECONDS, writers_have_ended

    writers_have_ended(MAX_WRITING_SECONDS)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


# The lesson -----------------------------------------------------------------------------------------------------------


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
    from tui.lesson.run import main_config, open_lesson_session
    from tui.lesson.stops import Progress, lesson_home, lock_lesson, progress_path, read_progress, write_progress
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
        _history_of(config)[0],
        path,
        glyphs_for(os.environ, encoding),
        is_utf8=is_utf8(os.environ, encoding),
        store=store,
    )

    def leave(outcome: Outcome, saving_seconds: float) -> NoReturn:
        has_work = app.lesson_screen.run.view.phase != "starting"
        app.connection.wait(saving_seconds if has_work else 0.0)
        print_at_end(*_last_lines(outcome, read_progress(path)))
        leave_process(outcome.exit_code)

    def take_over(exit_code: int | None) -> NoReturn:
        code = INTERRUPTED_CODE if exit_code is None else exit_code
        app.lesson_screen.run.stop(reason_of(code))
        _leave_terminal(app, job_control)
        leave(Outcome(exit_code=code), ENDING_SECONDS)

    outcome = _run_app(app, job_control, app.receive, take_over)
    if outcome.failure is not None:
        app.action_leave(outcome.exit_code)
    handle_signals_after_screen(lambda _: None, continues_in_background=False)
    leave(outcome, _LESSON_SAVING_SECONDS)


def _last_lines(outcome: Outcome, progress: Progress) -> list[str]:
    """Return what is printed once the screen is closed."""
    if outcome.failure is not None:
        return [f"tweetgen-tui: The lesson has failed: {outcome.failure.message}", outcome.failure.hint]
    if progress.is_complete:
        return ["The lesson is done; tweetgen-tui --data FILE trains on your own lines."]
    return [f"The lesson continues at stop {progress.stop}: tweetgen-tui lesson"]
