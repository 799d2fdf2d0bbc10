"""`Reporter`: turns what happens in a run into events, for the subscriber, the journal and the tracker.

It adds step and time, makes strings harmless, and never lets a subscriber's exception or a full disk stop the training.
A failing disk is reported once for each cause, however often it is tried, and once more when it works again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from engine.checkpoints.format import CheckpointInfo
from engine.compute.clocks import Throughput
from engine.errors import StorageError, TweetgenError
from engine.export.tensorboard import LiveTracker
from engine.protocol.commands import ChangeSettings, Command
from engine.protocol.events import CheckpointSaved, CommandRefused, Event, RunFailed, RunFinished, StepsFinished, Warned
from engine.session.state import RunState
from engine.storage.journal import Journal, in_shortest_digits
from engine.text import is_harmless, sanitize_line
from engine.training.trainer import StepReport

LOG = logging.getLogger(__name__)


class EventStream:
    """The subscriber's callback: nothing follows the last event, and no exception comes back."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self.is_over = False

    def __call__(self, event: Event) -> None:
        """Pass an event to the subscriber; log what the callback raises."""
        if self.is_over:
            return
        self.is_over = isinstance(event, RunFinished | RunFailed)
        try:
            self._emit(event)
        except Exception:  # the contract: a subscriber's exception never reaches the engine
            LOG.exception("a subscriber failed on %s", type(event).__name__)


class Reporter:
    """Emits the events of one run. Used by the session's thread only."""

    def __init__(
        self, state: RunState, emit: Callable[[Event], None], journal: Journal, tracker: LiveTracker | None
    ) -> None:
        self.journal = journal
        self._tracker = tracker
        self._state = state
        self._emit = emit
        self._disk_causes: set[str] = set()
        """Why the disk fails, as far as it was reported; empty while it works."""
        self._throughput = Throughput()
        self._reported_step = state.step

    def emit(self, event_type: Callable[..., Event], **fields: Any) -> None:  # noqa: ANN401 - the fields of whichever event
        """Emit an event, after all steps that precede it; the last one after what the journal lacks."""
        self.emit_steps()
        step = self._state.step
        if event_type in (RunFinished, RunFailed):
            problem = self.flush_journal()
            num_missing = self.journal.num_lost + self.journal.num_waiting
            if num_missing:
                message = f"The journal lacks {num_missing:,} events. {problem or ''}".strip()
                self._emit_at(step, Warned, message=message, kind="disk")
            if self._tracker is not None:
                self._tracker.flush()
                self._warn_at(step)
        self._emit_at(step, event_type, **fields)

    def emit_saved(self, name: str, path: Path, info: CheckpointInfo) -> None:
        """Emit that a checkpoint is in place, without the steps since the last report, nor waiting for the device.

        So the event has the step of the checkpoint's weights, unless later ones are reported by now.
        """
        self._emit_at(
            self._reported_step,
            CheckpointSaved,
            name=name,
            path=str(path),
            bits_per_char=info.progress.bits_per_char,
            weights_step=info.step,
        )

    def emit_refusal(self, command: Command, error: TweetgenError) -> None:
        """Emit that a command is not executed."""
        words = {"title": error.title, "detail": error.message, "hint": error.hint}
        settings = tuple(command.settings) if isinstance(command, ChangeSettings) else ()
        self.emit(CommandRefused, command=type(command).__name__, settings=settings, **words)

    def emit_steps(self) -> StepReport:
        """Emit the steps since the last call, each with its loss or as skipped, and return them."""
        report = self._state.trainer.drain_report()
        losses, norms, rates = (  # float32 values in the fewest digits, the same wherever they are shown or stored
            list(in_shortest_digits(values))
            for values in (report.train_losses, report.grad_norms, report.learning_rates)
        )
        report = replace(report, train_losses=losses, grad_norms=norms, learning_rates=rates)
        self._reported_step = self._state.step
        total_chars = self._state.progress.total_chars
        chars_per_second = self._throughput.update(self._state.stopwatch.seconds, total_chars) if losses else 0.0
        end = 0
        for is_skipped, group in groupby(losses, key=math.isnan):
            first, end = end, end + len(list(group))
            first_step, last_step = report.first_step + first, report.first_step + end - 1
            if is_skipped:
                message = "The loss or its gradient was not finite; the step was skipped and the weights are unchanged."
                for step in range(first_step, last_step + 1):
                    self._emit_at(step, Warned, message=message, kind="not-finite")
                continue
            self._state.progress.train_loss = losses[end - 1]
            self._emit_at(
                last_step,
                StepsFinished,
                first_step=first_step,
                train_losses=tuple(losses[first:end]),
                grad_norms=tuple(norms[first:end]),
                learning_rates=tuple(rates[first:end]),
                chars_per_second=chars_per_second,
            )
        return report

    def reset_throughput(self) -> None:
        """Restart the measurement of characters per second: something other than training took time."""
        self._throughput = Throughput()

    def _emit_at(self, step: int, event_type: Callable[..., Event], **fields: Any) -> None:  # noqa: ANN401 - as in `emit`
        """Create the event, write it to the journal and pass it to subscriber and tracker."""
        clean = {
            name: sanitize_line(value) if isinstance(value, str) and not is_harmless(value) else value
            for name, value in fields.items()
        }
        event = event_type(step=step, elapsed_seconds=self._state.stopwatch.seconds, **clean)
        problem = None
        try:
            if event.is_recorded:
                self.journal.write(event)
        except StorageError as error:
            problem = error
        finally:  # these steps are reported by no other event
            self._emit(event)
            if self._tracker is not None:
                self._tracker.handle(event)
        if not isinstance(event, RunFinished | RunFailed):  # nothing follows those
            self._warn_at(step, problem)

    def _warn_at(self, step: int, problem: TweetgenError | None = None, lost: Sequence[str] = ()) -> None:
        """Warn if the tracker can't write, once per run; of a `problem` of the disk once per cause."""
        untracked = "" if self._tracker is None else self._tracker.drain_problem()
        if untracked:
            LOG.warning("not tracked: %s", untracked)
            self._emit_at(step, Warned, message=untracked)
        if problem is None:
            return
        cause = (problem.__cause__.strerror if isinstance(problem.__cause__, OSError) else None) or problem.title
        if cause not in self._disk_causes:
            self._disk_causes.add(cause)
            LOG.warning("not saved: %s", problem)
            outlook = (
                f"the run ends without {', '.join(lost)}" if lost else "not saved, tried again at the next autosave"
            )
            # the cause first: a narrow screen cuts the message off
            message = f"{cause}: {outlook}. {problem} {problem.hint}"
            self._emit_at(step, Warned, message=message, kind="disk")

    def warn_of_disk(self, problem: TweetgenError, *, again: bool = False, lost: Sequence[str] = ()) -> None:
        """Warn that something can't be saved, once per cause, or `again`.

        At the end of a run `lost` names the checkpoints that will not be saved any more.
        """
        self.emit_steps()
        if again:
            self._disk_causes.clear()
        self._warn_at(self._state.step, problem, lost)

    def emit_disk_works(self, lost: str) -> None:
        """Announce that saving works again, if a failure was reported; `lost` says what was not saved meanwhile."""
        if self._disk_causes and not self.journal.is_failing:
            self._disk_causes.clear()
            num_lost, self.journal.num_lost = self.journal.num_lost, 0
            gap = f"The journal lacks {num_lost:,} events." if num_lost else ""
            message = " ".join(word for word in ("Saving works again.", lost, gap) if word)
            self.emit(Warned, message=message, kind="disk-works")

    def end_bucket(self) -> None:
        """Write all steps so far to the journal: no bucket of steps lies across a checkpoint that is saved now."""
        self.emit_steps()
        try:
            self.journal.end_bucket()
        except StorageError as problem:
            self.warn_of_disk(problem)

    def flush_journal(self) -> StorageError | None:
        """Write the events that wait in memory for the disk; return the error if that fails."""
        self.emit_steps()
        try:
            self.journal.flush()
        except StorageError as error:
            return error
        return None
