"""The loop of one run: follow commands, do what is due, take a step, again.

What is due is decided by the step alone (and, for saving, by the clock), and what was done last is part of a
checkpoint. So a run that is stopped anywhere and resumed does the same things at the same steps as one that never
stopped.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import assert_never

from engine.compute.device import derived_seed
from engine.compute.memory import heap_frozen
from engine.compute.step_timer import Phase
from engine.config.run import SamplingConfig
from engine.errors import ConfigError, DeviceMemoryError, DivergedError, TweetgenError
from engine.protocol import commands, events
from engine.protocol.commands import Command
from engine.session.checkpoint_loading import CheckpointLoader
from engine.session.divergence import DivergenceRecovery
from engine.session.progress import budget_used_up, is_due
from engine.session.reporter import Reporter
from engine.session.run import Run
from engine.session.setup import Preparation

LOG = logging.getLogger(__name__)
REPORT_SECONDS = 0.1
"""How often steps are told; a screen draws at about this pace."""
PAUSED_POLL_SECONDS = 0.05
STOP_WAITS_SECONDS = 0.3
"""How long a run that is to stop goes on with the tweet that it is writing."""
FINISHED = "finished"
"""Why a run ended that was asked to finish."""
MAX_CHANGES_BEFORE_STOP = 32
"""Commands that arrived before a `Stop` and are still followed first, questions not counted."""
_DUE_SAMPLE, _REQUESTED_SAMPLE, _REQUESTED_COMPLETION = 1, 2, 3  # purposes of derived seeds
_QUESTIONS = commands.SampleNow | commands.SampleLadder | commands.CompleteText | commands.ReadTweet
"""What can be followed in the middle of an evaluation: it changes nothing."""


class _RunEndsError(TweetgenError):
    """The run ends before a command was followed, or before a tweet was finished."""

    title = "The run ends"


class TrainingLoop:
    """One run, from its first event to its last; failures are told by the session. Lives on the session's thread."""

    def __init__(
        self,
        preparation: Preparation,
        reporter: Reporter,
        take_command: Callable[[], Command | None],
        *,
        pauses_at_end: bool = False,
    ) -> None:
        """Store everything; nothing happens before `run`. `take_command` returns None when no command is queued."""
        self._pauses_at_end = pauses_at_end
        self._run = Run(preparation, reporter)
        self._loader = CheckpointLoader(self._run, preparation, reporter)
        self._recovery = DivergenceRecovery(self._run, self._loader, reporter)
        self._reporter = reporter
        self._take_command = take_command
        self._clock = reporter.stopwatch.clock
        self._waiting: deque[Command] = deque()
        self._stop_reason: str | None = None
        self._num_requested_samples = 0
        self._stop_seen_at: float | None = None
        self._is_saved = False
        """Whether `latest` was saved for the `Stop` that ends the run."""
        self._num_executing = 0

    @property
    def num_waiting(self) -> int:
        """How many commands were received and are not followed to the end yet. For any thread."""
        return len(self._waiting) + self._num_executing

    def run(self) -> None:
        """Train until a command or the budget ends it. Raises what can't be helped; the caller tells it.

        Whatever is raised, what was learned up to the last good step is saved before.
        """
        with heap_frozen(), contextlib.closing(self._run):
            try:
                self._train()
            except DivergedError:
                raise  # the run is at the state that it has gone back to, which is saved, at a rate that did not help
            except BaseException:  # raised on; also an interrupt must not cost what was learned
                try:
                    self._run.save_after_failure()
                except Exception:  # the original exception is raised next, and says more
                    LOG.exception("the run could not be saved after that")
                raise

    def _train(self) -> None:
        """Go around until there is a reason to stop."""
        self._run.begin()
        last_report = self._clock()
        while self._stop_reason is None:
            self._execute_commands()
            if self._run.is_paused or self._stop_reason is not None:
                continue
            reason = self._end_reached()
            if reason is not None:
                self._reporter.emit_steps()
                if not self._recovered_from_divergence():
                    self._finish_or_pause(reason)
                continue
            self._run_due_work()
            if self._waiting:
                continue
            self._run.take_step()
            if self._recovered_from_divergence():
                continue
            if self._clock() - last_report >= REPORT_SECONDS:
                self._reporter.emit_steps()
                self._run.emit_step_times()
                last_report = self._clock()
        self._end(self._stop_reason)

    def _end_reached(self) -> str | None:
        """Return the name of the budget that is used up, or `FINISHED`; None where the run goes on."""
        return FINISHED if self._run.is_finished else budget_used_up(self._run.training, self._run.position)

    def _finish_or_pause(self, reason: str) -> None:
        """Evaluate once more; then end, or pause with the model loaded. Commands that arrive meanwhile go first."""
        if self._run.training.eval_every:
            self._run.evaluate(self._must_interrupt)
        if self._waiting:
            return
        self._run.save_step_if_due()
        if not self._pauses_at_end:
            self._stop_reason = reason
            return
        self._run.save("latest")
        self._run.pause()
        how = reason if reason == FINISHED else f"{reason.replace('_', ' ')} reached"
        message = f"The run is over: {how}. Its model still writes, saves and loads."
        self._reporter.emit(events.Warned, message=message)

    def _recovered_from_divergence(self) -> bool:
        """Go back where too many steps in a row were refused; say whether it was so. Raises `DivergedError`."""
        if not self._recovery.is_due:
            return False
        self._recovery.go_back()
        return True

    def _end(self, reason: str) -> None:
        """Save `latest`, refuse the commands that are left, and emit `RunFinished`."""
        if not self._is_saved:
            self._run.save("latest", is_asked=True, is_last=True)
        while (command := self._take_command()) is not None:
            self._waiting.append(command)
        for command in self._waiting:
            if not isinstance(command, commands.Stop):
                self._refuse(command, _RunEndsError("The run ends, so this was not done."))
        self._reporter.emit(
            events.RunFinished,
            reason=reason,
            total_seconds=self._reporter.stopwatch.seconds,
            total_chars=self._reporter.total_chars,
        )

    def _run_due_work(self) -> None:
        """Write, evaluate and save as the step and the clock say."""
        run, step = self._run, self._run.trainer.step_count
        run.retune_threads(self._has_waiting_command)
        if is_due(step, run.training.sample_every, run.progress.last_sample_step):
            self._sample_due_tweet(step)
        if is_due(step, run.training.eval_every, run.progress.last_eval_step):
            run.evaluate(self._must_interrupt)
        run.save_if_due()

    def _sample_due_tweet(self, step: int) -> None:
        """Write the feed's next tweet; its seed depends on the step alone."""
        last_sample_step, self._run.progress.last_sample_step = self._run.progress.last_sample_step, step
        self._reporter.emit_steps()  # what a device still has to do of them is no part of the writing
        try:
            seed = derived_seed(self._run.training.seed, _DUE_SAMPLE, step)
            with (
                self._run.timer.during("sampling"),
                self._run.memory_fallback.out_of_memory_as_error("writing a tweet"),
            ):
                self._run.sampling_service.sample_tweet(self._sampling_now, seed)
        except (DivergedError, DeviceMemoryError) as error:
            self._reporter.emit(events.Warned, message=error.message)
        except _RunEndsError:
            self._run.progress.last_sample_step = last_sample_step  # a run that goes on from here writes it

    def _sampling_now(self) -> SamplingConfig:
        """Return how the next character is drawn, as the latest wish has it.

        Raises `_RunEndsError` where the run is to stop and the tweet, of up to 100,000 characters, keeps it from that.
        """
        self._receive()
        if any(isinstance(command, commands.Stop) for command in self._waiting):
            now = self._clock()
            self._stop_seen_at = self._stop_seen_at or now
            if now - self._stop_seen_at > STOP_WAITS_SECONDS:
                raise _RunEndsError("A stop was asked for, so this tweet was not finished.")
        return self._run.sampling

    def _sample_requested_tweet(self, prime: str | None) -> None:
        """Write a tweet that the user asked for: another one each time, and none of the feed's own."""
        self._num_requested_samples += 1
        where = (_REQUESTED_SAMPLE, self._run.trainer.step_count, self._num_requested_samples)
        seed = derived_seed(self._run.training.seed, *where)
        self._run.sampling_service.sample_tweet(self._sampling_now, seed, prime)

    def _complete(self, text: str, request: int) -> None:
        """Say how a text goes on: always by the same draws, so that only what the model learns changes it."""
        seed = derived_seed(self._run.training.seed, _REQUESTED_COMPLETION)
        self._run.sampling_service.complete_text(text, request, self._run.sampling, seed)

    def _must_interrupt(self) -> bool:
        """Follow what can be followed in the middle of an evaluation; say whether something else is waiting."""
        self._receive()
        while self._waiting and isinstance(self._waiting[0], _QUESTIONS):
            self._try_to_execute(self._waiting.popleft())
            self._receive()
        return bool(self._waiting)

    def _has_waiting_command(self) -> bool:
        """Take in what has come; say whether any of it is still to be followed."""
        self._receive()
        return bool(self._waiting)

    def _receive(self) -> None:
        """Drain the inbox. `SetSampling` takes effect at once, and a `Stop` moves ahead."""
        while (command := self._take_command()) is not None:
            if isinstance(command, commands.SetSampling):
                self._try_to_execute(command)
            elif isinstance(command, commands.Stop):
                self._put_first(command)
            else:
                self._waiting.append(command)

    def _put_first(self, stop: Command) -> None:
        """Queue a `Stop` ahead of all questions, which change nothing, and behind the first earlier changes."""
        before: list[Command] = []
        after: list[Command] = []
        for command in self._waiting:
            is_before = not isinstance(command, _QUESTIONS) and len(before) < MAX_CHANGES_BEFORE_STOP
            (before if is_before else after).append(command)
        self._waiting = deque([*before, stop, *after])

    def _execute_commands(self) -> None:
        """Follow all that is waiting; while paused, wait for more."""
        if self._run.is_paused and not self._waiting:
            self._run.save_if_changed()
            time.sleep(PAUSED_POLL_SECONDS)
        self._receive()
        while self._waiting and self._stop_reason is None:
            self._try_to_execute(self._waiting.popleft())
            self._receive()

    def _try_to_execute(self, command: Command) -> None:
        """Follow a command, or tell why not."""
        self._num_executing += 1
        try:
            phase: Phase = "sampling" if isinstance(command, _QUESTIONS) else "other"
            with self._run.timer.during(phase), self._run.memory_fallback.out_of_memory_as_error("what was asked for"):
                self._execute(command)
        except TweetgenError as error:
            self._refuse(command, error)
        finally:
            self._num_executing -= 1

    def _refuse(self, command: Command, error: TweetgenError) -> None:
        """Emit `CommandRefused`."""
        self._reporter.emit(
            events.CommandRefused,
            command=type(command).__name__,
            title=error.title,
            detail=error.message,
            hint=error.hint,
        )

    def _resume(self) -> None:
        """Go on, if there is anything left of the budget; a run that has finished goes on at its learning rate."""
        if self._run.is_finished:
            self._run.cancel_finish()
        budget = self._end_reached()
        if budget is not None:
            option = "--" + budget.replace("_", "-")
            raise ConfigError(f"The run is over: {option} is reached.", f"Resume it with a larger {option}.")
        self._run.resume()

    def _finish(self) -> None:
        """Begin the last stretch, unless the run is over."""
        if self._end_reached() is not None:
            raise ConfigError("The run is over already.")
        self._run.finish()

    def _execute(self, command: Command) -> None:  # noqa: C901, PLR0912 - one case per kind of command
        """Do what a command asks for. Raises a `TweetgenError` before anything was changed."""
        match command:
            case commands.Pause():
                self._run.pause()
            case commands.Resume():
                self._resume()
            case commands.Stop(reason=reason, unless_unsaved=unless_unsaved):
                self._stop_seen_at = None
                if unless_unsaved:
                    self._run.require_saved()
                    self._is_saved = True
                self._stop_reason = FINISHED if self._run.is_finished else reason
            case commands.SetSampling(sampling=sampling):
                self._run.set_sampling(sampling)
            case commands.SetLearningRate(learning_rate=learning_rate):
                self._run.set_learning_rate(learning_rate)
            case commands.SetBatchSize(batch_size=batch_size):
                self._run.set_batch_size(batch_size)
            case commands.SetIntervals(eval_every=eval_every, sample_every=sample_every):
                self._run.set_intervals(eval_every, sample_every)
            case commands.Finish():
                self._finish()
            case commands.CancelFinish():
                self._run.cancel_finish()
            case commands.SampleNow(prime=prime):
                self._sample_requested_tweet(prime)
            case commands.CompleteText(text=text, request=request):
                self._complete(text, request)
            case commands.ReadTweet(text=text):
                self._run.sampling_service.read_tweet(text)
            case commands.SampleLadder(prime=prime, seed=seed, temperatures=temperatures):
                sampling = SamplingConfig(prime=prime, max_length=self._run.sampling.max_length)
                self._run.sampling_service.sample_ladder(sampling, seed, temperatures)
            case commands.SaveCheckpoint(name=name, replace=replace):
                self._run.save_named(name, replace=replace)
            case commands.SaveLatest():
                self._run.save("latest", is_asked=True)
            case commands.LoadCheckpoint(name=name, halves_rate=halves_rate):
                self._loader.load(name, halves_rate=halves_rate)
                self._recovery.reset()
            case _:
                assert_never(command)
