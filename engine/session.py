"""`TrainingSession`: one training run behind one door. Commands go in, events come out, and nothing else.

The screen, the headless command, a test and a remote client all use it the same way:

    TrainingSession(config).run(emit, commands)

`run` blocks until the run has ended, on whichever thread it is called, and raises nothing: a failure becomes the one
terminal event `RunFailed`.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections.abc import Callable
from pathlib import Path

import torch

from engine.commands import Command, Stop
from engine.config import RunConfig
from engine.errors import DeviceMemoryError, InternalError, StorageError, TweetgenError
from engine.events import Event, RunFailed, RunFinished
from engine.folders import home
from engine.journal import Journal
from engine.log import log_to
from engine.loop import TrainingLoop
from engine.metrics import Stopwatch
from engine.narrator import Narrator
from engine.preparation import Preparation, prepare, write_config
from engine.stage import Stage

LOG = logging.getLogger(__name__)


def _nothing(_: Stage) -> None:
    """Take no note of the stage."""


class _StoppedEarly(Exception):  # noqa: N818 - no error: the user asked for it
    """A `Stop` came before the run could start."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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

        With `rests_at_end` a run whose budget is used up, or whose losses are not finite any more, pauses instead of
        ending: somebody is there to tell it what to do.
        """
        self._config = config
        self._rests_at_end = rests_at_end
        self._on_stage = on_stage
        self._clock = clock

    def run(self, emit: Callable[[Event], None], inbox: queue.SimpleQueue[Command]) -> None:
        """Prepare and train to the end; `emit` is called on this thread and may raise."""
        early = _EarlyCommands(inbox)

        def on_stage(stage: Stage) -> None:
            self._on_stage(stage)
            early.take()

        try:
            preparation = prepare(self._config, on_stage, may_be_over=self._rests_at_end)
            early.put_back()
            with log_to(preparation.folder.log_path):
                journal = Journal(preparation.folder.journal_path)
                write_config(preparation)
                self._train(preparation, journal, emit, inbox)
        except _StoppedEarly as stopped:
            _hand_over(
                RunFinished(step=0, elapsed_seconds=0.0, reason=stopped.reason, total_seconds=0.0, total_chars=0), emit
            )
        except TweetgenError as error:
            _fail(error, emit)
        except Exception as error:  # the end of the line: whatever it is becomes an event
            path = home() / "tweetgen.log"  # there is no run's folder yet
            with contextlib.suppress(StorageError), log_to(path):
                LOG.exception("before the run could start")
            _fail(as_tweetgen_error(error, path), emit)

    def _train(
        self,
        preparation: Preparation,
        journal: Journal,
        emit: Callable[[Event], None],
        inbox: queue.SimpleQueue[Command],
    ) -> None:
        """Run the loop; the last event is told by it, or here."""
        start = preparation.start
        stopwatch = Stopwatch(self._clock, offset=start.elapsed_seconds if start else 0.0)
        total_chars = start.total_chars if start else 0
        narrator = Narrator(emit, journal, preparation.trainer, stopwatch, total_chars)
        try:
            TrainingLoop(preparation, narrator, inbox, rests_at_end=self._rests_at_end).run()
        except Exception as error:  # whatever it is, the stream ends with it
            LOG.exception("the run failed at step %d", narrator.trainer.step_count)
            failure = as_tweetgen_error(error, preparation.folder.log_path)
            narrator.tell(RunFailed, title=failure.title, detail=failure.message, hint=failure.hint)
        finally:
            with contextlib.suppress(StorageError):  # every line is flushed; what could not be written was told
                journal.close()


def as_tweetgen_error(error: Exception, log_path: Path) -> TweetgenError:
    """Return what there is to tell the user of any error at all, whose traceback was logged to `log_path`."""
    if isinstance(error, TweetgenError):
        return error
    if _is_out_of_device_memory(error):
        detail = str(error).splitlines()[0] if str(error) else "No more of it could be had."
        return DeviceMemoryError(detail, "Try a smaller --batch-size or --hidden-size.")
    return InternalError(f"{type(error).__name__}: {error}", f"The traceback is in {log_path}; please report it.")


def _is_out_of_device_memory(error: Exception) -> bool:
    """Return whether a device had no memory left: CUDA's libraries and MPS say so by a `RuntimeError` of their own."""
    words = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


def _fail(error: TweetgenError, emit: Callable[[Event], None]) -> None:
    """Tell that the run failed before it started."""
    _hand_over(RunFailed(step=0, elapsed_seconds=0.0, title=error.title, detail=error.message, hint=error.hint), emit)


def _hand_over(event: Event, emit: Callable[[Event], None]) -> None:
    """Tell the one event of a run that never started; what the listener raises is its own affair."""
    try:
        emit(event)
    except Exception:  # the contract: a listener's mistake never reaches the engine
        LOG.exception("a listener failed on %s", type(event).__name__)
