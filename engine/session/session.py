"""`TrainingSession`: one training run. Commands go in, events come out.

The screen, the headless command and the tests all use it the same way:

    TrainingSession(config).run(emit, commands)

`run` blocks until the run has ended, on the thread that calls it. Every failure becomes the terminal event `RunFailed`;
only `KeyboardInterrupt` and `SystemExit` are raised after that.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.compute.cpu.kernels import compilation_reported
from engine.compute.memory import is_out_of_memory
from engine.compute.stepper import discard_char_graph
from engine.config.run import RunConfig
from engine.errors import DeviceMemoryError, InternalError, RankLostError, StorageError, TweetgenError
from engine.export.tensorboard import LiveTracker, require_tensorboard
from engine.protocol.commands import Command
from engine.protocol.events import Event, RunFailed, RunFinished, Warned
from engine.protocol.progress import Stage
from engine.session.commands import CommandQueue
from engine.session.loop import TrainingLoop
from engine.session.ranks.connection import Ranks
from engine.session.ranks.leader import Leader
from engine.session.reporter import EventStream, Reporter
from engine.session.startup.setup import prepare
from engine.session.state import Run
from engine.storage.folders import RunFolder, find_run, home
from engine.storage.journal import Journal
from engine.storage.log import LogFile, log_to, log_traceback
from engine.training.out_of_memory import OutOfMemoryRetry

LOG = logging.getLogger(__name__)
COMPILING = "compiling for this processor, once for each size of a model"
"""The detail of a stage."""


class _StoppedEarly(Exception):  # noqa: N818 - no error: the user asked for it
    """A `Stop` came before the run could start; its text is the reason of the `Stop`."""


class TrainingSession:
    """One training run."""

    def __init__(
        self,
        config: RunConfig,
        on_stage: Callable[[Stage], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        pauses_at_end: bool = False,
        notices: tuple[str, ...] = (),
        ranks: Ranks | None = None,
        is_restarted: bool = False,
    ) -> None:
        """Store the config; nothing is read before `run`.

        `on_stage` is called with the progress of the setup, and where code is compiled, which delays the first step of
        the first start; maybe on another thread. `clock` gives the seconds of all that the run measures. With
        `pauses_at_end` a run whose budget is used up pauses instead of ending, for a user to continue it. `notices` are
        warnings at its start. `ranks` are the other processes that train the same run: this one leads them. A run that
        `is_restarted`, as one of them was lost, may have reached its end before.
        """
        self._config = config
        self._pauses_at_end = pauses_at_end
        self._on_stage = on_stage or (lambda _: None)
        self._stage = Stage("")
        self._clock = clock
        self._notices = notices
        self._ranks = ranks
        self._is_restarted = is_restarted
        self._loop: TrainingLoop | None = None

    @property
    def num_waiting(self) -> int:
        """How many commands were received and are not executed to the end yet. For any thread."""
        loop = self._loop
        return 0 if loop is None else loop.commands.num_pending

    def run(self, emit: Callable[[Event], None], inbox: queue.SimpleQueue[Command]) -> None:
        """Prepare and train to the end; `emit` is called on this thread and may raise.

        Raises `RankLostError`, without a last event: all processes are to start again.
        """
        commands, stream = CommandQueue(inbox), EventStream(emit)
        try:
            with compilation_reported(self._report_compilation), contextlib.ExitStack() as opened:
                run, log = self._prepare(commands, stream, opened)
                try:
                    self._loop = TrainingLoop(run, commands, pauses_at_end=self._pauses_at_end)
                    self._loop.run()
                    self._end_ranks()
                except BaseException as error:
                    LOG.exception("the run failed at step %d", run.state.step)
                    if not stream.is_over and not isinstance(error, RankLostError):
                        where = log.traceback_location
                        failure = reportable_error(error, where)
                        hint = failure.hint if where in failure.hint else f"{failure.hint} {where}".strip()
                        self._fail(type(failure)(failure.message, hint), stream, run)
                    raise
                finally:
                    self._loop = None  # so that the model is freed when this method returns
                    with contextlib.suppress(RuntimeError):  # a CUDA error that has ended the run is raised again
                        discard_char_graph(run.state.trainer.model.device)
        except _StoppedEarly as stopped:
            self._end_ranks(is_early=True)
            stream(RunFinished(step=0, elapsed_seconds=0.0, reason=str(stopped), total_seconds=0.0, total_chars=0))
        except RankLostError:
            raise
        except BaseException as error:  # whatever it is, the stream ends with it
            if not stream.is_over:
                is_expected, path = isinstance(error, TweetgenError), home() / "tweetgen.log"
                where = "" if is_expected else log_traceback(error, "before the run could start", path)
                self._fail(reportable_error(error, where), stream)
            if not isinstance(error, Exception):
                raise

    def _prepare(
        self, commands: CommandQueue, stream: EventStream, opened: contextlib.ExitStack
    ) -> tuple[Run, LogFile]:
        """Read, build or load everything; what has to be closed is added to `opened`."""

        def on_stage(stage: Stage) -> None:
            self._stage = stage
            self._on_stage(stage)
            if (stop := commands.early_stop()) is not None:
                raise _StoppedEarly(stop.reason)

        def opened_journal(folder: RunFolder) -> Journal:
            return opened.enter_context(contextlib.closing(Journal(folder.journal_path)))

        resumed = None if self._config.resume is None else find_run(self._config.resume)
        journal = None if resumed is None else opened_journal(resumed)  # locks the run before its `latest` is read
        may_be_finished = self._pauses_at_end or self._is_restarted
        setup, state = prepare(
            self._config, resumed, on_stage, self._clock, may_be_finished=may_be_finished, ranks=self._ranks
        )
        setup = replace(setup, warnings=(*self._notices, *setup.warnings))
        tracker = None
        try:
            journal = journal or opened_journal(setup.folder)
            log = opened.enter_context(log_to(setup.folder.log_path))
            if self._config.runtime.tensorboard is not None:
                require_tensorboard()
                continues = resumed is not None or self._is_restarted
                tracker = LiveTracker(Path(self._config.runtime.tensorboard), setup.folder.name, continues=continues)
                opened.enter_context(contextlib.closing(tracker))
        except StorageError:
            if resumed is None:
                shutil.rmtree(setup.folder.path, ignore_errors=True)  # so that its name is free again
            raise
        reporter = Reporter(state, stream, journal, tracker)
        oom = OutOfMemoryRetry(state, lambda message: reporter.emit(Warned, message=message))
        leader = None if self._ranks is None else Leader(self._ranks, state, reporter)
        return Run(setup=setup, state=state, reporter=reporter, oom=oom, leader=leader), log

    def _report_compilation(self) -> None:
        stage = self._stage if self._loop is None else replace(self._stage, text="training")
        self._on_stage(replace(stage, detail=COMPILING))

    def _fail(self, failure: TweetgenError, stream: EventStream, run: Run | None = None) -> None:
        """End the stream and the other processes with an error; without the reporter if that fails, too."""
        fields = {"title": failure.title, "detail": failure.message, "hint": failure.hint}
        try:
            if run is not None:
                run.reporter.emit(RunFailed, **fields)
        except Exception:  # the stream must end with one terminal event, whatever is broken
            LOG.exception("the reporter failed on the failure of the run")
        step, seconds = (0, 0.0) if run is None else (run.state.step, run.state.stopwatch.seconds)
        stream(RunFailed(step=step, elapsed_seconds=seconds, **fields))  # ignored after that of the reporter
        self._end_ranks(failure)

    def _end_ranks(self, problem: TweetgenError | None = None, *, is_early: bool = False) -> None:
        """Let the other processes end: in order, or with the problem of this one.

        Raises `RankLostError` where SIGTERM ends the run early and one of them is lost, the reason of that signal.
        """
        if self._ranks is None:
            return
        try:
            self._ranks.end(problem)
        except RankLostError:
            if is_early and self._ranks.is_terminated:
                raise
            LOG.warning("the other processes do not end in order", exc_info=True)


def reportable_error(error: BaseException, where: str) -> TweetgenError:
    """Return the error to report for any exception; `where` is the sentence that locates its traceback."""
    if isinstance(error, TweetgenError):
        return error
    if is_out_of_memory(error):
        detail = str(error).splitlines()[0] if str(error) else "There is no memory left."
        return DeviceMemoryError(
            detail, "Quit other programs that use it, or set a smaller --batch-size or --hidden-size."
        )
    return InternalError(f"{type(error).__name__}: {error}", f"{where} Please report it.")
