"""`Narrator`: turns what happens in a run into events; to the listener, and into the journal.

It knows the step and the time, keeps the rules on strings and numbers, and never lets a listener's mistake or a full
disk stop the training.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from itertools import groupby
from typing import Any

from engine.answers import TextCompleted, TweetRead
from engine.errors import StorageError
from engine.events import Event, StepsFinished, Warned
from engine.journal import Journal
from engine.metrics import Stopwatch, Throughput
from engine.text import harmless
from engine.trainer import StepReport, Trainer

LOG = logging.getLogger(__name__)


class Narrator:
    """The voice of one run. Used by the session's thread only."""

    def __init__(
        self, emit: Callable[[Event], None], journal: Journal, trainer: Trainer, stopwatch: Stopwatch, total_chars: int
    ) -> None:
        """Speak through `emit`, which may raise whatever it likes, and into `journal`."""
        self.trainer = trainer
        self.stopwatch = stopwatch
        self.total_chars = total_chars
        self.last_train_loss: float | None = None
        self.refused_in_a_row = 0
        self._emit = emit
        self._journal: Journal | None = journal
        self._throughput = Throughput()

    def tell(self, event_type: Callable[..., Event], **fields: Any) -> None:  # noqa: ANN401 - the fields of whichever event
        """Tell one fact, after all steps that came before it."""
        self.tell_steps()
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
        self.refused_in_a_row = 0
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
        self.refused_in_a_row += len(steps)
        for step in steps:
            message = "The loss or its gradient was not finite; the step was refused and the weights are as they were."
            self._tell_at(step, Warned, message=message, kind="not-finite")

    def _tell_at(self, step: int, event_type: Callable[..., Event], **fields: Any) -> None:  # noqa: ANN401 - as in `tell`
        """Make the event, write it down, hand it over."""
        clean = {name: harmless(value) if isinstance(value, str) else value for name, value in fields.items()}
        event = event_type(step=step, elapsed_seconds=self.stopwatch.seconds, **clean)
        problem = self._write_down(event)
        self._hand_over(event)
        if problem:
            self._hand_over(Warned(step=step, elapsed_seconds=self.stopwatch.seconds, message=problem, kind="disk"))

    def _write_down(self, event: Event) -> str:
        """Append to the journal; the first failure closes it for good. Returns what there is to say about that.

        Answers about a text are left out: they come with every key that somebody types, and are no part of the run.
        """
        try:
            if self._journal is not None and not isinstance(event, TextCompleted | TweetRead):
                self._journal.write(event)
        except StorageError as error:
            self._journal = None
            LOG.warning("journal: %s", error)
            return f"The journal ends here: {error.message}"
        return ""

    def _hand_over(self, event: Event) -> None:
        """Call the listener; whatever it raises is its own affair."""
        try:
            self._emit(event)
        except Exception:  # the contract: a listener's mistake never reaches the engine
            LOG.exception("a listener failed on %s", type(event).__name__)
