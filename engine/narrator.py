"""`Narrator`: turns what happens in a run into events; to the listener, and into the journal.

It knows the step and the time, keeps the rules on strings and numbers, and never lets a listener's mistake or a full
disk stop the training. A disk that takes nothing is told once, however often it is tried, and once more when it works.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from itertools import groupby
from typing import Any, Literal

from engine.answers import TextCompleted, TweetRead
from engine.backlog import Backlog
from engine.errors import StorageError
from engine.events import CheckpointSaved, Event, RunFailed, RunFinished, StepsFinished, Warned
from engine.metrics import Stopwatch, Throughput
from engine.text import harmless
from engine.trainer import StepReport, Trainer

LOG = logging.getLogger(__name__)
Trouble = Literal["disk", "journal"]
"""What can't be written: checkpoints, or the journal; also the kind of the warning about it."""


class Narrator:
    """The voice of one run. Used by the session's thread only."""

    def __init__(
        self, emit: Callable[[Event], None], backlog: Backlog, trainer: Trainer, stopwatch: Stopwatch, total_chars: int
    ) -> None:
        """Speak through `emit`, which may raise whatever it likes, and into the journal."""
        self.trainer = trainer
        self.stopwatch = stopwatch
        self.total_chars = total_chars
        self.last_train_loss: float | None = None
        self._emit = emit
        self.backlog = backlog
        self._troubles: set[Trouble] = set()
        self._has_told_gap = False
        self._lost = ""
        self._throughput = Throughput()

    def tell(self, event_type: Callable[..., Event], **fields: Any) -> None:  # noqa: ANN401 - the fields of whichever event
        """Tell one fact, after all steps that came before it."""
        self.tell_steps()
        if event_type in (RunFinished, RunFailed):
            self.finish_journal()
        self._tell_at(self.trainer.step_count, event_type, **fields)

    def tell_steps(self) -> None:
        """Tell the steps since the last time: each with its loss, or that it was refused."""
        report = self.trainer.take_report()
        rate = self._throughput.update(self.stopwatch.seconds, self.total_chars) if report.train_losses else 0.0
        numbered = list(enumerate(report.train_losses, start=report.first_step))
        for is_refused, group in groupby(numbered, key=lambda pair: math.isnan(pair[1])):
            steps = [step for step, _ in group]
            if is_refused:
                self._tell_refused(steps)
            else:
                self._tell_taken(steps, report, rate)

    def start_rate_anew(self) -> None:
        """Forget the past rate: something other than training took time."""
        self._throughput = Throughput()

    def _tell_taken(self, steps: list[int], report: StepReport, rate: float) -> None:
        """Tell steps that were taken, without a gap."""
        chosen = slice(steps[0] - report.first_step, steps[-1] - report.first_step + 1)
        losses = report.train_losses[chosen]
        self.last_train_loss = losses[-1]
        self._tell_at(
            steps[-1],
            StepsFinished,
            first_step=steps[0],
            train_losses=tuple(losses),
            grad_norms=tuple(report.grad_norms[chosen]),
            learning_rate=self.trainer.learning_rate,
            chars_per_second=rate,
        )

    def _tell_refused(self, steps: list[int]) -> None:
        """Tell steps that changed nothing."""
        for step in steps:
            message = "The loss or its gradient was not finite; the step was refused and the weights are as they were."
            self._tell_at(step, Warned, message=message, kind="not-finite")

    def _tell_at(self, step: int, event_type: Callable[..., Event], **fields: Any) -> None:  # noqa: ANN401 - as in `tell`
        """Make the event, write it down, hand it over."""
        clean = {name: harmless(value) if isinstance(value, str) else value for name, value in fields.items()}
        event = event_type(step=step, elapsed_seconds=self.stopwatch.seconds, **clean)
        was_told = "journal" in self._troubles
        try:
            problem = self._write_down(event)
        finally:  # by now nobody else knows of the steps that it tells
            self._hand_over(event)
        if isinstance(event, RunFinished | RunFailed):
            return  # nothing follows it
        if problem is not None:
            self._tell_trouble_at(step, "journal", problem)
        elif was_told and not self.backlog.num_waiting:
            self._tell_works_at(step, "journal")
        self._tell_gap_at(step)

    def _tell_gap_at(self, step: int) -> None:
        """Tell once that more waits for the journal than is kept."""
        has_gap = self.backlog.gap is not None
        is_new, self._has_told_gap = has_gap and not self._has_told_gap, has_gap
        if is_new:
            message = f"{self.backlog.num_waiting:,} events wait for the journal; older ones will be missing in it."
            self._tell_at(step, Warned, message=message, kind="journal")

    def _write_down(self, event: Event) -> StorageError | None:
        """Append to the journal, or keep it until that works. Returns what went wrong, where it was tried.

        Answers about a text are left out: they come with every key that somebody types, and are no part of the run.
        """
        if isinstance(event, TextCompleted | TweetRead):
            return None
        try:
            self.backlog.write(event, at_once=isinstance(event, CheckpointSaved))
        except StorageError as error:
            return error
        return None

    def tell_trouble(self, trouble: Trouble, error: StorageError, *, is_asked: bool = False) -> None:
        """Tell that something can't be written, unless that is known already; `is_asked` tells it all the same."""
        self.tell_steps()
        if is_asked:
            self._troubles.discard(trouble)
        self._tell_trouble_at(self.trainer.step_count, trouble, error)

    def tell_works(self, trouble: Trouble, lost: str = "") -> None:
        """Tell, where something could not be written, that it could now, but for what is `lost`."""
        self.tell_steps()
        self._tell_works_at(self.trainer.step_count, trouble, lost)

    def finish_journal(self) -> None:
        """Write down what waits, before the last event; tell where that can't be done."""
        self.tell_steps()
        try:
            self.backlog.flush()
        except StorageError as error:
            message = f"The journal lacks the last {self.backlog.num_waiting:,} events: {error.message}"
            self.tell(Warned, message=message, kind="journal")
            return
        self.tell_works("journal")

    def _tell_trouble_at(self, step: int, trouble: Trouble, error: StorageError) -> None:
        """Tell it as of a step, unless it was told."""
        if trouble not in self._troubles:
            self._troubles.add(trouble)
            LOG.warning("%s: %s", trouble, error)
            cause = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None
            # the cause first: a narrow screen shows the beginning
            message = f"{cause or 'The disk fails'}: not saved, and tried again by itself. {error.message} {error.hint}"
            self._tell_at(step, Warned, message=message, kind=trouble)

    def _tell_works_at(self, step: int, trouble: Trouble, lost: str = "") -> None:
        """Tell it as of a step, and with it what is lost, once nothing else is in trouble either."""
        if trouble not in self._troubles:
            return
        self._troubles.discard(trouble)
        self._lost = " ".join(word for word in (self._lost, lost) if word)
        if not self._troubles:
            gap, self.backlog.written_gap = self.backlog.written_gap, None
            words = ("Saving works again.", self._lost, "" if gap is None else str(gap))
            self._lost = ""
            self._tell_at(step, Warned, message=" ".join(word for word in words if word), kind="disk-works")

    def _hand_over(self, event: Event) -> None:
        """Call the listener; whatever it raises is its own affair."""
        try:
            self._emit(event)
        except Exception:  # the contract: a listener's mistake never reaches the engine
            LOG.exception("a listener failed on %s", type(event).__name__)
