"""`Restorer` continues a run from another checkpoint: one that the user loads, or one of its own.

**Diverged.** A single skipped step does no harm. After `SKIPPED_IN_A_ROW` of them the weights have diverged: later
steps are non-finite too. So the run returns to its own `latest`, halves the learning rate, and continues; if not one
step from there is finite, it returns to `best` the next time, if there is one.

It gives up after `MAX_RELOADS` times at one place. **One place** is everything less than `CLEAR_STEPS` behind the
farthest step of a rollback: the count starts again only beyond that. So the run either progresses, or ends.

On a CPU a skipped step is known after each step, on a GPU at the next report.

**Past its best.** Once validation has risen for as many evaluations as the run's `patience`, the run goes back to its
`best` and ends there. It does so once: a user may continue it. The rate is not annealed: the averaged weights gain
nothing by more steps on a corpus that they already overfit (docs/recipes.md).
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from engine.checkpoints.catalog import resolve_checkpoint
from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.compute.device import generators_restored_on_error
from engine.compute.gpu_step import supported_precision
from engine.errors import CheckpointError, DivergedError, TweetgenError
from engine.model.gru import TextGenerator
from engine.protocol import events
from engine.session.questions import Questions
from engine.session.ranks.connection import make_trainer
from engine.session.ranks.leader import rank_generators
from engine.session.settings import halve_learning_rate, plan_finish
from engine.session.startup.setup import PRECISION_WARNING, load_into
from engine.session.state import Run
from engine.text import counted
from engine.training.schedule import Finish

SKIPPED_IN_A_ROW = 3
MAX_RELOADS = 10
CLEAR_STEPS = 100
_HINT = "Resume from a checkpoint with a lower --learning-rate, or remove unusual tweets from the data."


class Restorer:
    """Restores one run to a checkpoint. Used by the session's thread only."""

    def __init__(self, run: Run, questions: Questions) -> None:
        self._run = run
        self._questions = questions
        self._num_reloads = 0
        self._farthest_step = 0
        """The farthest step of a rollback."""
        self._reloaded_step: int | None = None

    def load(self, name: str, *, halves_rate: bool = False) -> None:
        """Continue from another checkpoint of the same vocabulary or the start of it, whatever its model's shape.

        The current weights are saved as the run's own `step-N-before-load`, and the loaded ones as `latest`. A planned
        finish is cancelled. With `halves_rate` the run continues at half the checkpoint's learning rate, or half its
        own where that is lower. Raises `CheckpointError`, and `StorageError` where the current weights can't be saved,
        before anything is changed.
        """
        run = self._run
        run.checkpoints.wait()
        checkpoint = load_checkpoint(path := resolve_checkpoint(name))
        if not checkpoint.vocab.is_start_of(run.setup.training_data.vocab):
            raise CheckpointError(
                f"{name} has another vocabulary: {len(checkpoint.vocab)} characters, not those of this run's tweets.",
                f"Start a run with its own tweets: tweetgen-tui --checkpoint {shlex.quote(name)}",
            )
        run.reporter.emit_steps()
        run.checkpoints.save_before_load(path)
        self._continue_from(checkpoint, name, path)
        if run.state.progress.finish is not None:
            plan_finish(run, on=False)
        if halves_rate:
            halve_learning_rate(run, checkpoint.info.training.learning_rate)
        run.checkpoints.save("latest")
        self._num_reloads, self._farthest_step, self._reloaded_step = 0, 0, None

    def roll_back(self) -> None:
        """Continue from the last good checkpoint of the run's own at half the rate, and warn; a planned finish stays.

        Raises `DivergedError` on giving up.
        """
        run, trainer = self._run, self._run.state.trainer
        run.reporter.emit_steps()
        num_skipped = trainer.skipped_in_a_row
        last_finite = trainer.step_count - num_skipped
        if last_finite >= self._farthest_step + CLEAR_STEPS:
            self._num_reloads = 0
        problem = f"The loss or its gradient was not finite for {num_skipped} steps in a row."
        if self._num_reloads == MAX_RELOADS:
            outcome = f"The run went back {MAX_RELOADS} times, each time at a lower learning rate, without success."
            raise DivergedError(f"{problem} {outcome}", _HINT)
        self._farthest_step = max(self._farthest_step, trainer.step_count)
        self._num_reloads += 1
        outcome = self._reload(("best", "latest") if last_finite == self._reloaded_step else ("latest", "best"))
        self._reloaded_step = run.state.step
        run.reporter.emit(
            events.Warned,
            message=f"{problem} {outcome} at half the learning rate ({self._num_reloads} of {MAX_RELOADS} times).",
            kind="not-finite",
        )

    def _reload(self, names: tuple[str, ...]) -> str:
        """Load the first readable one of the run's own checkpoints, at half the rate; return the outcome in words."""
        run, problem = self._run, ""
        for name in names:
            try:
                checkpoint = self._load_own(name)
            except TweetgenError as error:
                problem = problem or error.message
            else:
                halve_learning_rate(run, checkpoint.info.training.learning_rate)
                return f"The run went back to {name}, of step {run.state.step:,}, and continues"
        run.state.trainer.skipped_in_a_row = 0
        halve_learning_rate(run, run.state.training.learning_rate)
        return (
            f"There is no checkpoint to go back to ({problem.removesuffix('.')}), so the run continues with its weights"
        )

    def return_to_best(self) -> None:
        """End the run at its own `best`, once, and warn; where that can't be read, the run continues as it is."""
        run, progress = self._run, self._run.state.progress
        progress.has_returned = True
        rise = f"to {progress.bits_per_char:.2f} from {progress.best_bits_per_char:.2f} bits per character"
        problem = f"Validation has risen in {counted(progress.num_risen, 'evaluation')}, {rise}"
        try:
            self._load_own("best")
        except TweetgenError as error:
            run.reporter.emit(events.Warned, message=f"{problem}. {error.message} So the run continues.")
            return
        step = run.state.step
        run.state.progress.finish = Finish(first_step=step, last_step=step)
        run.reporter.emit(events.FinishPlanned, last_step=step)
        outcome = f"the run went back to its best, of step {step:,}, and ends there"
        run.reporter.emit(events.Warned, message=f"{problem}: {outcome}.")

    def _load_own(self, name: str) -> Checkpoint:
        """Continue from one of the run's own checkpoints. Raises a `TweetgenError` before anything is changed."""
        run = self._run
        run.checkpoints.wait()
        path = run.setup.folder.checkpoint_path(name)
        checkpoint = load_checkpoint(path)
        self._continue_from(checkpoint, f"{run.setup.folder.name}/{name}", path)
        return checkpoint

    def _continue_from(self, checkpoint: Checkpoint, name: str, path: Path) -> None:
        """Replace model, optimizer, generator states and position in the data; emit `CheckpointLoaded`.

        Raises a `TweetgenError` before anything is changed.
        """
        run, state, data = self._run, self._run.state, self._run.setup.training_data
        checkpoint = checkpoint.grown_to(data.vocab, state.training.seed)
        info = checkpoint.info
        position = data.resume_position(info.corpus_digest, info.position)
        batches = data.batches(state.training, position, info.training)
        with generators_restored_on_error(state.runtime.device):
            model = TextGenerator.from_config(len(checkpoint.vocab), info.model).to(state.runtime.device)
            precision = supported_precision(model, state.training.batch_size, state.runtime.precision)
            runtime = replace(state.runtime, precision=precision)
            trainer = make_trainer(model, state.training, runtime, run.setup.ranks)
            load_into(trainer, checkpoint, runtime)
        if precision != state.runtime.precision:
            run.reporter.emit(events.Warned, message=PRECISION_WARNING)
        state.runtime = runtime
        state.rank_generators = rank_generators(checkpoint, state.runtime.device.type)
        has_new_shape = info.model != state.model_config
        if not has_new_shape and state.trainer.micro_batch_size is not None:
            trainer.set_micro_batch_size(state.trainer.micro_batch_size)
        state.model_config = info.model
        progress = info.progress if info.corpus_digest == data.corpus.digest else info.progress.without_figures()
        state.progress = state.progress.restored_to(progress)
        state.replace_trainer(trainer, batches)
        self._questions.restart()
        run.reporter.reset_throughput()
        run.checkpoints.record_load(path)
        run.reporter.emit(
            events.CheckpointLoaded,
            name=name,
            path=str(path),
            bits_per_char=state.progress.bits_per_char,
            epochs=state.batches.epochs,
        )
        if has_new_shape:
            if state.thread_tuner is not None:
                state.thread_tuner.reset()
            run.reporter.emit(events.ModelChanged, model=info.model, num_parameters=model.num_parameters)
