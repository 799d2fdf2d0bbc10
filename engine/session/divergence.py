"""Recovery from divergence: what a run does when its steps are refused, one after the other, as not finite.

A refused step costs nothing, and one alone is a hiccup. But where it is `REFUSED_IN_A_ROW`, the weights are at a place
that steps do not lead away from. So the run goes back to its own `latest`, halves the learning rate, and goes on; if
not one step from there is finite, it goes back to `best` the next time, where there is one.

It gives up after `MAX_RELOADS` times at one place. **One place** is all that lies less than `CLEAR_STEPS` behind the
farthest step that it had to go back at: only where it has come past that, does it count from none again. So it either
gets on, or ends.

On a processor, it is known after each step whether it was refused, and nothing here depends on a clock. What a device
refused is known at the next report, where it counts if the steps before it were.
"""

from __future__ import annotations

from engine.errors import DivergedError, TweetgenError
from engine.protocol.events import Warned
from engine.session.checkpoint_loading import CheckpointLoader
from engine.session.reporter import Reporter
from engine.session.run import Run

REFUSED_IN_A_ROW = 3
MAX_RELOADS = 10
CLEAR_STEPS = 100
_ADVICE = "Go on from a checkpoint with a lower --learning-rate, or leave out tweets that are not like the others."


class DivergenceRecovery:
    """Takes a run back to where its steps were finite. Used by the session's thread only."""

    def __init__(self, run: Run, loader: CheckpointLoader, reporter: Reporter) -> None:
        """Watch over this run, and take it back by its `loader`."""
        self._run = run
        self._loader = loader
        self._reporter = reporter
        self._num_reloads = 0
        self._farthest_step = 0
        self._reloaded_step: int | None = None

    @property
    def is_due(self) -> bool:
        """Whether so many steps in a row were refused."""
        return self._run.trainer.refused_in_a_row >= REFUSED_IN_A_ROW

    def reset(self) -> None:
        """Forget what was: the run goes on from a checkpoint that the user has chosen."""
        self._num_reloads, self._farthest_step, self._reloaded_step = 0, 0, None

    def go_back(self) -> None:
        """Go on from the last good state at half the rate, and say so. Raises `DivergedError` once that is no use."""
        trainer = self._run.trainer
        self._reporter.emit_steps()
        num_refused = trainer.refused_in_a_row
        last_finite = trainer.step_count - num_refused
        if last_finite >= self._farthest_step + CLEAR_STEPS:
            self._num_reloads = 0
        problem = f"The loss or its gradient was not finite for {num_refused} steps in a row."
        if self._num_reloads == MAX_RELOADS:
            times = f"The run has gone back {MAX_RELOADS} times, to ever lower learning rates, and it did not help."
            raise DivergedError(f"{problem} {times}", _ADVICE)
        self._farthest_step = max(self._farthest_step, trainer.step_count)
        self._num_reloads += 1
        names = ("best", "latest") if last_finite == self._reloaded_step else ("latest", "best")
        where = self._reload_first_of(names)
        self._reloaded_step = self._run.trainer.step_count
        self._reporter.emit(
            Warned,
            message=f"{problem} {where} at half the learning rate ({self._num_reloads} of {MAX_RELOADS} times).",
            kind="not-finite",
        )

    def _reload_first_of(self, names: tuple[str, ...]) -> str:
        """Go back to the first of the run's own checkpoints that can be read, at half the rate; return what to say."""
        problem = ""
        for name in names:
            try:
                rate = self._loader.go_back_to(name)
            except TweetgenError as error:
                problem = problem or error.message
            else:
                self._run.halve_learning_rate(rate)
                return f"The run went back to {name}, of step {self._run.trainer.step_count:,}, and goes on"
        self._run.trainer.refused_in_a_row = 0
        self._run.halve_learning_rate(self._run.training.learning_rate)
        return f"There is nothing to go back to ({problem.removesuffix('.')}), so the run goes on with its weights"
