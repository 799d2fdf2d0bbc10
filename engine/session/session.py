"""`TrainingSession`: one training run behind one door. Commands go in, events come out, and nothing else.

The screen, the headless command, a test and a remote client all use it the same way:

    TrainingSession(config).run(emit, commands)

`run` blocks until the run has ended, on whichever thread it is called. A failure, whatever it is, becomes the one
terminal event `RunFailed`; only what asks Python itself to end, `KeyboardInterrupt` and `SystemExit`, is raised after
that.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator

from engine.compute.clocks import SteadyClock, Stopwatch
from engine.compute.memory import is_out_of_memory
from engine.config.run import RunConfig
from engine.errors import DeviceMemoryError, InternalError, StorageError, TweetgenError
from engine.protocol.commands import Command, Stop
from engine.protocol.events import Event, RunFailed, RunFinished
from engine.protocol.stage import Stage
from engine.session.loop import TrainingLoop
from engine.session.reporter import Reporter
from engine.session.setup import Preparation, prepare
from engine.storage.folders import RunFolder, find_run, home
from engine.storage.journal import Journal
from engine.storage.run_log import LogFile, log_to, log_traceback

LOG = logging.getLogger(__name__)


class _StoppedEarly(Exception):  # noqa: N818 - no error: the user asked for it
    """A `Stop` came before the run could start."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Stream:
    """The subscriber's callback; nothing follows the last event, and no exception comes back."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self.is_over = False

    def __call__(self, event: Event) -> None:
        """Emit an event; log what the callback raises."""
        if self.is_over:
            return
        self.is_over = isinstance(event, RunFinished | RunFailed)
        try:
            self._emit(event)
        except Exception:  # the contract: a listener's mistake never reaches the engine
            LOG.exception("a listener failed on %s", type(event).__name__)


class _Inbox:
    """The commands in order of arrival, those that arrive while the run is being prepared included."""

    def __init__(self, commands: queue.SimpleQueue[Command]) -> None:
        self._commands = commands
        self._early: deque[Command] = deque()

    def look_for_stop(self) -> None:
        """Raise `_StoppedEarly` on a `Stop`; keep all other commands for the run."""
        with contextlib.suppress(queue.Empty):
            while True:
                command = self._commands.get_nowait()
                if isinstance(command, Stop):
                    raise _StoppedEarly(command.reason)
                self._early.append(command)

    def take(self) -> Command | None:
        """Return the next command; None when no command is queued."""
        if self._early:
            return self._early.popleft()
        try:
            return self._commands.get_nowait()
        except queue.Empty:
            return None


class TrainingSession:
    """One training run."""

    def __init__(
        self,
        config: RunConfig,
        on_stage: Callable[[Stage], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        pauses_at_end: bool = False,
    ) -> None:
        """Take the wishes; nothing is read before `run`. `on_stage` is told what happens before `RunStarted`.

        With `pauses_at_end` a run whose budget is used up pauses instead of ending: somebody is there to tell it what
        to do. `clock` gives the seconds that the run measures: of training, between reports and until a save.
        """
        self._config = config
        self._pauses_at_end = pauses_at_end
        self._on_stage = on_stage
        self._clock = clock
        self._loop: TrainingLoop | None = None

    @property
    def num_waiting(self) -> int:
        """How many commands were received and are not followed to the end yet. For any thread."""
        loop = self._loop
        return 0 if loop is None else loop.num_waiting

    def run(self, emit: Callable[[Event], None], inbox: queue.SimpleQueue[Command]) -> None:
        """Prepare and train to the end; `emit` is called on this thread and may raise."""
        incoming = _Inbox(inbox)
        stream = _Stream(emit)

        def on_stage(stage: Stage) -> None:
            if self._on_stage is not None:
                self._on_stage(stage)
            incoming.look_for_stop()

        try:
            with contextlib.ExitStack() as opened:
                resumed = None if self._config.resume is None else find_run(self._config.resume)
                journal = None if resumed is None else opened.enter_context(_journal_of(resumed))
                preparation = prepare(self._config, resumed, on_stage, may_be_over=self._pauses_at_end)
                with _removed_on_failure(preparation.folder) if resumed is None else contextlib.nullcontext():
                    journal = journal or opened.enter_context(_journal_of(preparation.folder))
                    log = opened.enter_context(log_to(preparation.folder.log_path))
                self._train(preparation, journal, log, stream, incoming)
        except _StoppedEarly as stopped:
            stream(RunFinished(step=0, elapsed_seconds=0.0, reason=stopped.reason, total_seconds=0.0, total_chars=0))
        except TweetgenError as error:
            _fail(error, stream)
        except BaseException as error:  # the end of the line: whatever it is becomes an event
            if not stream.is_over:
                where = log_traceback(error, "before the run could start", home() / "tweetgen.log")
                _fail(to_tweetgen_error(error, where), stream)
            if not isinstance(error, Exception):
                raise

    def _train(
        self,
        preparation: Preparation,
        journal: Journal,
        log: LogFile,
        stream: _Stream,
        inbox: _Inbox,
    ) -> None:
        """Run the loop; the last event is told by it, or here."""
        start = preparation.start
        stopwatch = Stopwatch(SteadyClock(self._clock), offset=start.elapsed_seconds if start else 0.0)
        total_chars = start.total_chars if start else 0
        reporter = Reporter(stream, journal, preparation.trainer, stopwatch, total_chars)
        reporter.last_train_loss = start.train_loss if start else None
        try:
            self._loop = TrainingLoop(preparation, reporter, inbox.take, pauses_at_end=self._pauses_at_end)
            self._loop.run()
        except BaseException as error:  # whatever it is, the stream ends with it
            LOG.exception("the run failed at step %d", reporter.trainer.step_count)
            if not stream.is_over:
                where = log.traceback_location
                _emit_failure(_with_log(to_tweetgen_error(error, where), where), reporter, stream)
            if not isinstance(error, Exception):
                raise
        finally:
            self._loop = None  # with the model


@contextlib.contextmanager
def _removed_on_failure(run: RunFolder) -> Iterator[None]:
    """Remove the folder of a new run that can't keep its files in it: its name is free again."""
    try:
        yield
    except StorageError:
        shutil.rmtree(run.path, ignore_errors=True)
        raise


def _journal_of(run: RunFolder) -> contextlib.closing[Journal]:
    """Open the journal of a run, which locks it: before its `latest` is read, or another program could replace that."""
    return contextlib.closing(Journal(run.journal_path))


def _emit_failure(failure: TweetgenError, reporter: Reporter, stream: _Stream) -> None:
    """Tell that the run failed, though telling itself may be what does not work."""
    fields = {"title": failure.title, "detail": failure.message, "hint": failure.hint}
    try:
        reporter.emit(RunFailed, **fields)
    except Exception:  # the stream must end with one terminal event, whatever is broken
        LOG.exception("the failure could not be told as it should be")
        step, seconds = reporter.trainer.step_count, reporter.stopwatch.seconds
        stream(RunFailed(step=step, elapsed_seconds=seconds, **fields))


def _with_log(error: TweetgenError, where: str) -> TweetgenError:
    """Return an error of the same kind whose hint says where the traceback is."""
    return error if where in error.hint else type(error)(error.message, f"{error.hint} {where}".strip())


def to_tweetgen_error(error: BaseException, where: str) -> TweetgenError:
    """Return what there is to tell the user of any error at all; `where` is the sentence on its traceback."""
    if isinstance(error, TweetgenError):
        return error
    if is_out_of_memory(error):
        detail = str(error).splitlines()[0] if str(error) else "No more of it could be had."
        return DeviceMemoryError(
            detail, "End other programs that use it, or try a smaller --batch-size or --hidden-size."
        )
    return InternalError(f"{type(error).__name__}: {error}", f"{where} Please report it.")


def _fail(error: TweetgenError, stream: _Stream) -> None:
    """Tell that the run failed before it started."""
    stream(RunFailed(step=0, elapsed_seconds=0.0, title=error.title, detail=error.message, hint=error.hint))
