"""The loop of one run: execute commands, do what is due, take a step, repeat.

What is due depends on the step alone (and, for saving, on the clock), and what was done last is part of a checkpoint.
So a run that is stopped anywhere and resumed does the same things at the same steps as one that never stopped. Unless
the run is to be repeatable, the clock also paces samples, and on a device evaluations (`Pace`): the training is the
same, as the seed of a tweet depends on the step alone.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable

from engine.compute.device import derived_seed
from engine.errors import DeviceMemoryError, DistributedError, DivergedError
from engine.memory import heap_frozen
from engine.protocol import events
from engine.session.commands import CommandHandler, CommandQueue, RunEndsError
from engine.session.evaluation import MAX_SAMPLE_SHARE, SAMPLE_SECONDS, Pace
from engine.session.restoring import CheckpointLoader, DivergenceRecovery
from engine.session.run import Run
from engine.session.sampling import Overfit, report_wait
from engine.session.state import finished_text
from engine.training.schedule import is_sample_step

LOG = logging.getLogger(__name__)
REPORT_SECONDS = 0.1
"""Interval of `StepsFinished`; a screen redraws at about this pace."""
PAUSED_POLL_SECONDS = 0.05
NAP_SECONDS = 0.005
"""How long a command waits at most."""
_DUE_SAMPLE = 1  # purpose of a derived seed


class TrainingLoop:
    """Trains one run from its first event to its last. Runs on the session's thread."""

    def __init__(self, run: Run, queue: CommandQueue, *, pauses_at_end: bool = False) -> None:
        """With `pauses_at_end` a run whose budget is used up pauses instead of ending."""
        loader = CheckpointLoader(run)
        self._recovery = DivergenceRecovery(run, loader)
        self._queue = queue
        self._commands = CommandHandler(run, queue, loader, self._recovery)
        self._run = run
        self._clock = run.state.stopwatch.clock
        self._speed_limit = SpeedLimit(self._clock)
        self._sample_pace = Pace(lambda: run.state.stopwatch.seconds, SAMPLE_SECONDS, MAX_SAMPLE_SHARE)
        self._sampled_with = run.state.sampling
        is_overfit = run.setup.training_data.config.overfit is not None
        self._overfit = Overfit(run, self._commands.current_sampling) if is_overfit else None
        self._pauses_at_end = pauses_at_end
        self._end_reason: str | None = None

    @property
    def num_waiting(self) -> int:
        """How many commands were received and are not executed to the end yet. For any thread."""
        return self._commands.num_pending

    def run(self) -> None:
        """Train until a command or the budget ends the run.

        An exception is raised on, for the session to report, after everything up to the last good step is saved.
        """
        with heap_frozen(), contextlib.closing(self._run):
            try:
                self._train()
            except (DivergedError, DistributedError):
                self._run.checkpoints.wait()
                raise  # what is saved is to be continued: the last rollback, or what all processes agreed on
            except BaseException:  # raised on; an interrupt, too, must not lose steps
                try:
                    self._run.checkpoints.save_after_failure()
                except Exception:  # the original exception is raised next
                    LOG.exception("saving after the failure failed")
                raise

    def _train(self) -> None:
        """Loop until there is a reason to end."""
        run = self._run
        run.begin()
        last_report = self._clock()
        while self._end_reason is None:
            if not self._is_step_next():
                continue
            run.take_steps()
            if self._rolled_back():
                continue
            if self._clock() - last_report >= REPORT_SECONDS:
                run.reporter.emit_steps()
                run.emit_step_times()
                last_report = self._clock()
        self._end(self._end_reason)

    def _is_step_next(self) -> bool:
        """Do everything but regular steps that is to be done now; return whether a step follows."""
        run = self._run
        self._execute_commands()
        if self._commands.is_step_asked:
            self._take_single_step()
            return False
        if run.state.is_paused or self._end_reason is not None:
            return False
        reason = run.state.end_reason
        if reason is not None:
            run.reporter.emit_steps()
            if not self._rolled_back():
                self._finish_or_pause(reason)
            return False
        self._run_due_work(self._commands.answer_queries)
        if self._queue or self._is_too_early():
            return False
        run.insight_service.advance()
        self._speed_limit.begin_step()
        return True

    def _execute_commands(self) -> None:
        """Execute all waiting commands; while paused, answer questions about the weights or wait for more."""
        run = self._run
        run.checkpoints.poll()
        if run.state.is_paused and not self._queue:
            run.checkpoints.save_if_changed()
            run.insight_service.work_or_sleep(PAUSED_POLL_SECONDS)
        self._queue.receive(self._commands.execute)
        while self._queue and self._commands.stop_reason is None and not self._commands.is_step_asked:
            self._commands.execute(self._queue.pop())
            self._queue.receive(self._commands.execute)
        self._end_reason = self._commands.stop_reason

    def _is_too_early(self) -> bool:
        """Return whether the speed limit delays the next step, after a nap that counts for no phase of a step."""
        state = self._run.state
        if not state.training.steps_per_second:
            return False
        state.timer.stop()
        is_too_early = self._speed_limit.nap(state.training.steps_per_second, self._run.insight_service.work_or_sleep)
        state.timer.resume()
        return is_too_early

    def _take_single_step(self) -> None:
        """Do what is due, take one step and pause again. Later commands wait, except for queries.

        A `Stop` may interrupt what is due; then no step is taken. The last step of a budget does not pause: the run
        ends as it would have without pauses.
        """
        run = self._run
        self._commands.is_step_asked = False
        if self._run_due_work(self._commands.answer_queries_before_stop):
            run.take_single_step()
            self._rolled_back()
        if run.state.end_reason is None:
            run.pause()

    def _rolled_back(self) -> bool:
        """Roll the run back if it has diverged; return whether it did. Raises `DivergedError`."""
        if not self._run.state.has_diverged:
            return False
        if self._run.leader is not None:
            self._run.leader.verify()  # or a rank can't compute
        self._recovery.roll_back()
        return True

    def _finish_or_pause(self, reason: str) -> None:
        """Evaluate once more; then end, or pause with the model loaded. Commands that arrive meanwhile go first."""
        run = self._run
        if run.state.training.eval_every:
            run.evaluation_service.evaluate(self._commands.answer_queries)
        if self._queue:
            return
        if self._overfit is not None:
            self._overfit.emit_outcome()
        run.checkpoints.save_step_if_due()
        if not self._pauses_at_end:
            self._end_reason = reason
            return
        run.checkpoints.save("latest")
        run.pause()
        message = (
            f"{finished_text(reason)} You can still sample from its model, save it, load others, and continue it with "
            "a larger budget."
        )
        run.reporter.emit(events.Warned, message=message, kind="finished")

    def _end(self, reason: str) -> None:
        """Save `latest`, refuse the commands that are left, and emit `RunFinished`."""
        state = self._run.state
        if not self._commands.is_saved:
            self._run.checkpoints.save("latest", is_asked=True, is_last=True, waits=True)
        self._commands.refuse_remaining()
        self._run.reporter.emit(
            events.RunFinished,
            reason=reason,
            total_seconds=state.stopwatch.seconds,
            total_chars=state.progress.total_chars,
        )

    def _run_due_work(self, should_stop: Callable[[], bool]) -> bool:
        """Measure threads, sample, evaluate and save, whatever is due at this step; return whether all of it is done.

        An evaluation is abandoned, and due again, once `should_stop` returns true.
        """
        run, is_done = self._run, True
        run.retune_threads(self._commands.receive)
        if self._is_sample_due:
            self._sample_due_tweet(run.state.step)
            is_done = run.state.progress.last_sample_step == run.state.step
        is_done = run.evaluation_service.evaluate_if_due(should_stop) and is_done
        run.checkpoints.save_if_due()
        return is_done

    @property
    def _is_sample_due(self) -> bool:
        state, pace = self._run.state, self._sample_pace
        if state.step == state.progress.last_sample_step or not state.training.sample_every:
            return False
        if state.sampling != self._sampled_with:  # as with a filter that was slow and is off now
            self._sampled_with = state.sampling
            pace.forget_share()
        is_due_by_step = is_sample_step(state.training, state.step)
        if state.training.sample_pacing == "seconds":
            return is_due_by_step or pace.allows_work
        is_regular = is_due_by_step and (state.training.pacing == "steps" or pace.allows_work)
        return is_regular or (self._overfit is not None and self._overfit.is_sample_due)

    def _sample_due_tweet(self, step: int) -> None:
        """Sample a tweet; its seed depends on the step alone."""
        run, progress = self._run, self._run.state.progress
        last_sample_step, progress.last_sample_step = progress.last_sample_step, step
        run.reporter.emit_steps()  # waits for the steps queued on a GPU, which are not part of the sampling time
        try:
            seed = derived_seed(run.state.training.seed, _DUE_SAMPLE, step)
            with (
                self._sample_pace.working(),
                run.state.timer.during("sampling"),
                run.oom.memory_errors("sampling a tweet"),
            ):
                text = run.sampling_service.sample_tweet(self._commands.current_sampling, seed)
            if self._overfit is not None:
                self._overfit.record_sample(text)
            else:
                report_wait(run.reporter, run.state, self._sample_pace.seconds_left)
        except (DivergedError, DeviceMemoryError) as error:
            run.reporter.emit(events.Warned, message=error.message)
        except RunEndsError:
            progress.last_sample_step = last_sample_step  # a resumed run samples it


class SpeedLimit:
    """Spaces the steps of a run in naps, between which it executes commands. Used by the session's thread only."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_step_at = -math.inf

    def begin_step(self) -> None:
        """Record that a step begins now."""
        self._last_step_at = self._clock()

    def nap(self, steps_per_second: float, sleep: Callable[[float], None]) -> bool:
        """Sleep for at most `NAP_SECONDS` if the next step is too early, at a limit above 0; return whether it is."""
        remaining = self._last_step_at + 1 / steps_per_second - self._clock()
        if remaining > 0:
            sleep(min(remaining, NAP_SECONDS))
        return remaining > 0
