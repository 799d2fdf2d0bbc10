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
import time
from collections.abc import Callable
from pathlib import Path

from engine.backlog import Backlog
from engine.commands import Command, Stop
from engine.config import RunConfig
from engine.errors import DeviceMemoryError, InternalError, StorageError, TweetgenError
from engine.events import Event, RunFailed, RunFinished
from engine.folders import home
from engine.journal import Journal
from engine.log import log_to
from engine.loop import TrainingLoop
from engine.memory import is_out_of_memory
from engine.metrics import SteadyClock, Stopwatch
from engine.narrator import Narrator
from engine.preparation import Preparation, prepare
from engine.stage import Stage

LOG = logging.getLogger(__name__)


def _nothing(_: Stage) -> None:
    """Take no note of the stage."""


class _StoppedEarly(Exception):  # noqa: N818 - no error: the user asked for it
    """A `Stop` came before the run could start."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Stream:
    """The listener, and whether it was told the last event; nothing follows that."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self.is_over = False

    def __call__(self, event: Event) -> None:
        """Hand an event on."""
        if not self.is_over:
            self.is_over = isinstance(event, RunFinished | RunFailed)
            self._emit(event)


class _EarlyCommands:
    """Commands that come while a run is being prepared: a `Stop` ends that at once, the others wait."""

    def __init__(self, inbox: queue.SimpleQueue[Command]) -> None:
        self._inbox = inbox
        self._waiting: list[Command] = []

    def take(self) -> None:
        """Look at what has come. Raises `_StoppedEarly`."""
        with contextlib.suppress(queue.Empty):
            while True:
                command = self._inbox.get_nowait()
                if isinstance(command, Stop):
                    raise _StoppedEarly(command.reason)
                self._waiting.append(command)

    def put_back(self) -> None:
        """Let the run have what waits, in the order that it came."""
        self.take()
        for command in self._waiting:
            self._inbox.put(command)


class TrainingSession:
    """One training run."""

    def __init__(
        self,
        config: RunConfig,
        on_stage: Callable[[Stage], None] = _nothing,
        clock: Callable[[], float] = time.monotonic,
        *,
        rests_at_end: bool = False,
    ) -> None:
        """Take the wishes; nothing is read before `run`. `on_stage` is told what happens before `RunStarted`.

        With `rests_at_end` a run whose budget is used up pauses instead of ending: somebody is there to tell it what
        to do.
        """
        self._config = config
        self._rests_at_end = rests_at_end
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
        early = _EarlyCommands(inbox)
        stream = _Stream(emit)

        def on_stage(stage: Stage) -> None:
            self._on_stage(stage)
            early.take()

        try:
            preparation = prepare(self._config, on_stage, may_be_over=self._rests_at_end)
            early.put_back()
            log_path, journal_path = preparation.folder.log_path, preparation.folder.journal_path
            with log_to(log_path), contextlib.closing(Journal(journal_path)) as journal:
                self._train(preparation, journal, stream, inbox)
        except _StoppedEarly as stopped:
            _hand_over(
                RunFinished(step=0, elapsed_seconds=0.0, reason=stopped.reason, total_seconds=0.0, total_chars=0),
                stream,
            )
        except TweetgenError as error:
            _fail(error, stream)
        except BaseException as error:  # the end of the line: whatever it is becomes an event
            if not stream.is_over:
                path = home() / "tweetgen.log"  # there is no run's folder yet
                with contextlib.suppress(StorageError), log_to(path):
                    LOG.exception("before the run could start")
                _fail(as_tweetgen_error(error, path), stream)
            if not isinstance(error, Exception):
                raise

    def _train(
        self,
        preparation: Preparation,
        journal: Journal,
        stream: _Stream,
        inbox: queue.SimpleQueue[Command],
    ) -> None:
        """Run the loop; the last event is told by it, or here."""
        start = preparation.start
        stopwatch = Stopwatch(SteadyClock(self._clock), offset=start.elapsed_seconds if start else 0.0)
        total_chars = start.total_chars if start else 0
        backlog = Backlog(journal, preparation.folder, time.monotonic)
        narrator = Narrator(stream, backlog, preparation.trainer, stopwatch, total_chars)
        try:
            self._loop = TrainingLoop(preparation, narrator, inbox, rests_at_end=self._rests_at_end)
            self._loop.run()
        except BaseException as error:  # whatever it is, the stream ends with it
            LOG.exception("the run failed at step %d", narrator.trainer.step_count)
            if not stream.is_over:
                log_path = preparation.folder.log_path
                _tell_failure(_with_log(as_tweetgen_error(error, log_path), log_path), narrator, stream)
            if not isinstance(error, Exception):
                raise
        finally:
            self._loop = None  # with the model
            backlog.close()  # what could not be written was told


def _tell_failure(failure: TweetgenError, narrator: Narrator, stream: _Stream) -> None:
    """Tell that the run failed, though telling itself may be what does not work."""
    fields = {"title": failure.title, "detail": failure.message, "hint": failure.hint}
    try:
        narrator.tell(RunFailed, **fields)
    except Exception:  # the stream must end with one terminal event, whatever is broken
        LOG.exception("the failure could not be told as it should be")
        step, seconds = narrator.trainer.step_count, narrator.stopwatch.seconds
        _hand_over(RunFailed(step=step, elapsed_seconds=seconds, **fields), stream)


def _with_log(error: TweetgenError, log_path: Path) -> TweetgenError:
    """Return an error of the same kind whose hint names the log."""
    if str(log_path) in error.hint:
        return error
    return type(error)(error.message, f"{error.hint} The traceback is in {log_path}.".strip())


def as_tweetgen_error(error: BaseException, log_path: Path) -> TweetgenError:
    """Return what there is to tell the user of any error at all, whose traceback was logged to `log_path`."""
    if isinstance(error, TweetgenError):
        return error
    if is_out_of_memory(error):
        detail = str(error).splitlines()[0] if str(error) else "No more of it could be had."
        return DeviceMemoryError(
            detail, "End other programs that use it, or try a smaller --batch-size or --hidden-size."
        )
    return InternalError(f"{type(error).__name__}: {error}", f"The traceback is in {log_path}; please report it.")


def _fail(error: TweetgenError, emit: Callable[[Event], None]) -> None:
    """Tell that the run failed before it started."""
    _hand_over(RunFailed(step=0, elapsed_seconds=0.0, title=error.title, detail=error.message, hint=error.hint), emit)


def _hand_over(event: Event, emit: Callable[[Event], None]) -> None:
    """Tell the one event of a run that never started; what the listener raises is its own affair."""
    try:
        emit(event)
    except Exception:  # the contract: a listener's mistake never reaches the engine
        LOG.exception("a listener failed on %s", type(event).__name__)
