"""`Reporter`: turns what happens in a run into events; to the listener, and into the journal.

It knows the step and the time, keeps the rules on strings and numbers, and never lets a listener's mistake or a full
disk stop the training. A failing disk is reported once, however often it is tried, and once more when it works.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from engine.compute.clocks import Stopwatch, Throughput
from engine.errors import StorageError, TweetgenError
from engine.protocol.events import Event, RunFailed, RunFinished, StepsFinished, TextCompleted, TweetRead, Warned
from engine.storage.journal import Journal
from engine.text import harmless
from engine.training.trainer import StepReport, Trainer

LOG = logging.getLogger(__name__)


class Reporter:
    """The voice of one run. Used by the session's thread only."""

    def __init__(
        self, emit: Callable[[Event], None], journal: Journal, trainer: Trainer, stopwatch: Stopwatch, total_chars: int
    ) -> None:
        """Speak through `emit`, and into the journal."""
        self.trainer = trainer
        self.stopwatch = stopwatch
        self.total_chars = total_chars
        self.last_train_loss: float | None = None
        self._emit = emit
        self.journal = journal
        self._has_warned_of_disk = False
        self._throughput = Throughput()

    def emit(self, event_type: Callable[..., Event], **fields: Any) -> None:  # noqa: ANN401 - the fields of whichever event
        """Tell one fact, after all steps that came before it."""
        self.emit_steps()
        if event_type in (RunFinished, RunFailed):
            self._finish_journal()
        self._emit_at(self.trainer.step_count, event_type, **fields)

    def emit_steps(self) -> None:
        """Tell the steps since the last time: each with its loss, or that it was refused."""
        report = self.trainer.take_report()
        rate = self._throughput.update(self.stopwatch.seconds, self.total_chars) if report.train_losses else 0.0
        numbered = list(enumerate(report.train_losses, start=report.first_step))
        for is_refused, group in groupby(numbered, key=lambda pair: math.isnan(pair[1])):
            steps = [step for step, _ in group]
            if is_refused:
                self._emit_refused(steps)
            else:
                self._emit_taken(steps, report, rate)

    def reset_throughput(self) -> None:
        """Forget the past rate: something other than training took time."""
        self._throughput = Throughput()

    def _emit_taken(self, steps: list[int], report: StepReport, rate: float) -> None:
        """Tell steps that were taken, without a gap."""
        chosen = slice(steps[0] - report.first_step, steps[-1] - report.first_step + 1)
        losses = report.train_losses[chosen]
        self.last_train_loss = losses[-1]
        self._emit_at(
            steps[-1],
            StepsFinished,
            first_step=steps[0],
            train_losses=tuple(losses),
            grad_norms=tuple(report.grad_norms[chosen]),
            learning_rate=self.trainer.learning_rate,
            chars_per_second=rate,
        )

    def _emit_refused(self, steps: list[int]) -> None:
        """Tell steps that changed nothing."""
        for step in steps:
            message = "The loss or its gradient was not finite; the step was refused and the weights are as they were."
            self._emit_at(step, Warned, message=message, kind="not-finite")

    def _emit_at(self, step: int, event_type: Callable[..., Event], **fields: Any) -> None:  # noqa: ANN401 - as in `emit`
        """Make the event, write it down, hand it over."""
        clean = {name: harmless(value) if isinstance(value, str) else value for name, value in fields.items()}
        event = event_type(step=step, elapsed_seconds=self.stopwatch.seconds, **clean)
        problem: StorageError | None = None
        try:
            if not isinstance(event, TextCompleted | TweetRead):  # they come with every key that somebody types
                self.journal.write(event)
        except StorageError as error:
            problem = error
        finally:  # these steps are reported by no other event
            self._emit(event)
        if problem is not None and not isinstance(event, RunFinished | RunFailed):  # nothing follows those
            self._warn_of_disk_at(step, problem)

    def warn_of_disk(self, problem: TweetgenError, *, is_asked: bool = False, lost: Sequence[str] = ()) -> None:
        """Report that something can't be saved, unless that is known already; `is_asked` reports it all the same.

        At the end of a run `lost` names the checkpoints that nothing will try to save again.
        """
        self.emit_steps()
        self._has_warned_of_disk &= not is_asked
        self._warn_of_disk_at(self.trainer.step_count, problem, lost)

    def _warn_of_disk_at(self, step: int, problem: TweetgenError, lost: Sequence[str] = ()) -> None:
        if self._has_warned_of_disk:
            return
        self._has_warned_of_disk = True
        LOG.warning("not saved: %s", problem)
        cause = problem.__cause__.strerror if isinstance(problem.__cause__, OSError) else None
        # the cause first: a narrow screen shows the beginning
        outlook = f"the run ends without {', '.join(lost)}" if lost else "not saved, tried again at the next autosave"
        message = f"{cause or problem.title}: {outlook}. {problem} {problem.hint}"
        self._emit_at(step, Warned, message=message, kind="disk")

    def emit_disk_works(self, lost: str = "") -> None:
        """Report, where something could not be saved, that everything is now, but for what is `lost`."""
        if self._has_warned_of_disk and not self.journal.is_failing:
            self._has_warned_of_disk = False
            num_lost, self.journal.num_lost = self.journal.num_lost, 0
            gap = f"The journal lacks {num_lost:,} events." if num_lost else ""
            message = " ".join(word for word in ("Saving works again.", lost, gap) if word)
            self.emit(Warned, message=message, kind="disk-works")

    def flush_journal(self) -> StorageError | None:
        """Write what waits for the journal; returns what went wrong."""
        self.emit_steps()
        try:
            self.journal.flush()
        except StorageError as error:
            return error
        return None

    def _finish_journal(self) -> None:
        """Write what waits, before the last event; report what will be missing."""
        problem = self.flush_journal()
        num_missing = self.journal.num_lost + self.journal.num_waiting
        if num_missing:
            message = f"The journal lacks {num_missing:,} events. {problem or ''}".strip()
            self.emit(Warned, message=message, kind="disk")
