"""The training loop: execute commands, do what is due, take a step, repeat.

What is due depends on the step and on what was done last, which is part of a checkpoint; for saving, also on the clock
and, unless the run is to be repeatable, for samples and, on a device, evaluations, too (`RateLimiter`). Why a resumed
run is exact: `Run.checkpoint_info`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from engine.compute.cuda_graphs import new_failures
from engine.compute.memory import heap_frozen
from engine.corpus.arrays import Batch
from engine.errors import DistributedError, DivergedError
from engine.protocol import events, insight
from engine.session.checkpointing import Checkpointing
from engine.session.commands import CommandHandler, CommandQueue
from engine.session.evaluation import Evaluator
from engine.session.questions import Questions
from engine.session.restoring import SKIPPED_IN_A_ROW, Restorer
from engine.session.sampling import Sampling
from engine.session.state import Run, finished_text
from engine.training.thread_tuner import runtime_change

LOG = logging.getLogger(__name__)
REPORT_SECONDS = 0.1
"""Interval of `StepsFinished`; a screen redraws at about this pace."""
TIMES_SECONDS = 2.0
"""Training time between two `StepTimes`."""
PAUSED_POLL_SECONDS = 0.05
NAP_SECONDS = 0.005
"""How long a command waits at most while the speed limit delays a step."""


class TrainingLoop:
    """Trains one run from its first event to its last. Runs on the session's thread."""

    def __init__(self, run: Run, queue: CommandQueue, *, pauses_at_end: bool) -> None:
        """With `pauses_at_end` a run whose budget is used up pauses instead of ending."""
        run.checkpoints = self._checkpoints = Checkpointing(run)
        self._questions = Questions(run)
        self._sampling = Sampling(run)
        self._evaluator = Evaluator(run)
        self._restorer = Restorer(run, self._questions)
        self.commands = CommandHandler(run, queue, self._sampling, self._questions, self._restorer)
        self._run = run
        self._queue = queue
        self._pauses_at_end = pauses_at_end
        self._clock = run.state.stopwatch.clock
        self._reported_at = self._stepped_at = -math.inf
        self._unrecorded: set[str] = set()
        """The work that can't be recorded as CUDA graphs, as reported to the user."""

    def run(self) -> None:
        """Train until a command or the budget ends the run.

        An exception is raised on, for the session to report, after everything up to the last good step is saved; at a
        `DivergedError` or `DistributedError`, `latest` stays as it is.
        """
        with heap_frozen():
            try:
                self._checkpoints.prepare_folder()  # first: an announced run is in `runs list`
                self._run.announce()
                self._checkpoints.save("latest", waits=True)  # so that the run can be resumed from here
                self._reported_at = self._clock()
                while self.commands.end_reason is None:
                    self._turn()
                self._end(self.commands.end_reason)
            except (DivergedError, DistributedError):
                self._checkpoints.wait()
                raise  # what is saved is to be continued: the last rollback, or what all processes agreed on
            except BaseException:  # raised on; an interrupt, too, must not lose steps
                try:
                    self._checkpoints.save_after_failure()
                except Exception:  # the original exception is raised next
                    LOG.exception("saving after the failure failed")
                raise
            finally:
                self._checkpoints.close()

    def _turn(self) -> None:
        """Execute all waiting commands, do what is due, and take a step, unless something else is to be done first."""
        state = self._run.state
        self._checkpoints.poll()
        if state.is_paused and not self._queue.waiting:
            self._checkpoints.save_if_due()
            self._questions.work_or_sleep(PAUSED_POLL_SECONDS)
        self.commands.execute_waiting()
        if self.commands.is_step_asked:
            self._single_step()
            return
        if self.commands.end_reason is not None or state.is_paused:
            return
        if (reason := state.end_reason) is not None:
            self._run.reporter.emit_steps()
            if not self._rolled_back():
                self._finish_or_pause(reason)
            return
        self._do_due_work(self.commands.answer_queries)
        if state.is_past_best:
            self._restorer.return_to_best()
            return
        if self._queue.waiting or self._naps():
            return
        self._questions.advance()
        self._stepped_at = self._clock()
        with self._next_rates() as rates:
            for rate in rates:
                self._train_on(self._load_batch(), rate)
        if not self._rolled_back() and self._clock() - self._reported_at >= REPORT_SECONDS:
            self._report()

    def _next_rates(self, *, is_single: bool = False) -> AbstractContextManager[list[float]]:
        """Give the learning rate of the step to take in the block; with other processes, those of all promised steps.

        There nothing but steps happens in the block. One is promised if it `is_single`, or something happens between
        two steps: samples or waits.
        """
        leader, state = self._run.leader, self._run.state
        if leader is None:
            return nullcontext(state.upcoming_rates(1))
        is_overfit = self._run.setup.training_data.config.overfit is not None
        return leader.promised(is_single=is_single or is_overfit or bool(state.training.steps_per_second))

    def _load_batch(self) -> Batch:
        """Return the next batch; until it is trained on, a resume repeats it."""
        state = self._run.state
        state.in_flight = state.batches.position
        with state.timer.during("data"):
            return self._run.oom.next_batch()

    def _train_on(self, batch: Batch, rate: float) -> None:
        """Take a step on a loaded batch; the reporter emits it later, together with other steps."""
        state = self._run.state
        began = self._clock()
        state.timer.switch_to("forward")
        self._run.oom.take_step(batch, rate)
        seconds = self._clock() - began
        state.in_flight = None
        state.last_batch = state.whole_batch(batch)
        state.timer.switch_to("other")
        state.timer.num_steps += 1
        state.progress.total_chars += batch.total_targets
        if state.thread_tuner is not None:
            is_small = batch.num_tweets <= state.training.first_batch_size
            state.thread_tuner.record_step(seconds, batch.num_targets, is_small=is_small)

    def _single_step(self) -> None:
        """Do what is due, take one step and pause again. Later commands wait, except for queries.

        A `Stop` may interrupt what is due; then no step is taken. The last step of a budget does not pause: the run
        ends as it would have without pauses.
        """
        self.commands.is_step_asked = False
        if self._do_due_work(lambda: self.commands.answer_queries() and self._queue.has_stop):
            self._take_shown_step()
            self._rolled_back()
        if self._run.state.end_reason is None:
            self._run.pause()

    def _take_shown_step(self) -> None:
        """Take a step, and emit how the loss of its batch changed, unless the step was skipped."""
        run = self._run
        with self._next_rates(is_single=True) as [rate]:
            loaded = self._load_batch()
            batch = run.state.whole_batch(loaded)
            loss_before = self._loss_of(batch)
            self._train_on(loaded, rate)
        report = run.reporter.emit_steps()
        if not math.isfinite(report.train_losses[-1]):
            return
        loss_after = self._loss_of(batch)
        if not math.isfinite(loss_before + loss_after):
            message = "The loss of the batch is not finite. Set a lower learning rate."
            run.reporter.emit(events.Warned, message=message, kind="not-finite")
            return
        run.reporter.emit(
            insight.StepTaken,
            loss_before=loss_before,
            loss_after=loss_after,
            grad_norm=report.grad_norms[-1],
            learning_rate=rate,
            num_tweets=len(batch.targets),
            num_targets=batch.num_targets,
        )

    def _loss_of(self, batch: Batch) -> float:
        """Return the loss of a batch without dropout, nats per character, in no training time."""
        stopwatch = self._run.state.stopwatch
        stopwatch.pause()
        loss = self._run.oom.batch_loss(batch)
        stopwatch.resume()
        return loss

    def _do_due_work(self, answer_queries: Callable[[], bool]) -> bool:
        """Measure threads, sample, evaluate and save, whatever is due at this step; return whether all of it is done.

        An evaluation is abandoned, and due again, once `answer_queries` returns true.
        """
        self._retune()
        is_sampled = self._sampling.sample_if_due(self.commands.receive_sampling)
        is_evaluated = self._evaluator.evaluate_if_due(answer_queries)
        self._checkpoints.save_if_due()
        return is_sampled and is_evaluated

    def _retune(self) -> None:
        """Measure which number of threads and, at first, which precision is fastest, if a measurement is due.

        A command abandons the measurement, which is then due again soon.
        """
        state, reporter, tuner = self._run.state, self._run.reporter, self._run.state.thread_tuner
        if tuner is None or not tuner.should_measure:
            return
        before = state.runtime
        reporter.emit_steps()
        state.timer.stop()
        chosen, ratio = tuner.retune(state.trainer, before, self.commands.receive)
        state.timer.resume()
        reporter.reset_throughput()
        state.runtime = chosen
        message = runtime_change(before, chosen, ratio)
        if message:
            fields = {"num_threads": chosen.num_threads, "precision": chosen.precision}
            reporter.emit(events.ThreadsChanged, **fields, message=message)

    def _naps(self) -> bool:
        """Return whether the speed limit delays the next step, after a nap that counts for no phase of a step."""
        state = self._run.state
        if not state.training.steps_per_second:
            return False
        state.timer.stop()
        remaining = self._stepped_at + 1 / state.training.steps_per_second - self._clock()
        if remaining > 0:
            self._questions.work_or_sleep(min(remaining, NAP_SECONDS))
        state.timer.resume()
        return remaining > 0

    def _report(self) -> None:
        """Emit the steps since the last report, what can't be recorded and, at times, where the time of steps went."""
        run = self._run
        run.reporter.emit_steps()
        for message in new_failures(self._unrecorded):
            run.reporter.emit(events.Warned, message=message)
        if run.state.timer.seconds >= TIMES_SECONDS:
            times = run.state.timer.drain()
            run.reporter.emit(events.StepTimes, **times, num_graphs=run.state.trainer.num_graphs)
            if run.leader is not None:
                run.leader.report_times(times)
        self._reported_at = self._clock()

    def _rolled_back(self) -> bool:
        """Roll the run back if it has diverged; return whether it did. Raises `DivergedError`."""
        if self._run.state.trainer.skipped_in_a_row < SKIPPED_IN_A_ROW:
            return False
        if self._run.leader is not None:
            self._run.leader.verify()  # raises where a rank can't compute, whose NaN is no divergence
        self._restorer.roll_back()
        return True

    def _finish_or_pause(self, reason: str) -> None:
        """Evaluate once more; then end, or pause with the model loaded. Commands that arrive meanwhile go first."""
        run = self._run
        if run.state.training.eval_every:
            self._evaluator.evaluate(self.commands.answer_queries)
        if self._queue.waiting:
            return
        self._sampling.emit_outcome(self.commands.receive_sampling)
        self._checkpoints.save_step_if_due()
        if not self._pauses_at_end:
            self.commands.end_reason = reason
            return
        self._checkpoints.save("latest")
        run.pause()
        message = (
            f"{finished_text(reason)} You can still sample from its model, save it, load others, and continue it with "
            "a larger budget."
        )
        run.reporter.emit(events.Warned, message=message, kind="finished")

    def _end(self, reason: str) -> None:
        """Save `latest`, refuse the commands that are left, and emit `RunFinished`."""
        state = self._run.state
        self._checkpoints.save_last()
        self.commands.refuse_remaining()
        self._run.reporter.emit(
            events.RunFinished,
            reason=reason,
            total_seconds=state.stopwatch.seconds,
            total_chars=state.progress.total_chars,
        )
