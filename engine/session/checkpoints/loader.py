"""`CheckpointLoader`: makes a run continue from another checkpoint, the user's or one of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.checkpoints.catalog import resolve_checkpoint
from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.compute.device import generators_restored_on_error
from engine.compute.gpu.probe import supported_precision
from engine.errors import CheckpointError
from engine.model.gru import TextGenerator
from engine.protocol import events
from engine.session.live_settings import LiveSettings
from engine.session.questions import Questions
from engine.session.ranks.generators import rank_generators
from engine.session.startup.setup import PRECISION_WARNING, load_into
from engine.session.startup.start import without_figures
from engine.session.state import Run
from engine.training.trainer import Trainer


class CheckpointLoader:
    """Loads into one run. Used by the session's thread only."""

    def __init__(self, run: Run, settings: LiveSettings, questions: Questions) -> None:
        self._run = run
        self._settings = settings
        self._questions = questions

    def load(self, name: str, *, halves_rate: bool = False) -> None:
        """Continue from another checkpoint of the same vocabulary or the start of it, whatever its model's shape.

        The current weights are saved as the run's own `step-N-before-load`, and the loaded ones as `latest`. With
        `halves_rate` the run continues at half the checkpoint's learning rate, or half its own where that is lower.
        Raises `CheckpointError`, and `StorageError` where the current weights can't be saved, before anything is
        changed.
        """
        run = self._run
        run.checkpoints.wait()
        checkpoint = load_checkpoint(path := resolve_checkpoint(name))
        if not checkpoint.vocab.is_start_of(run.setup.training_data.vocab):
            raise CheckpointError(
                f"{name} has another vocabulary: {len(checkpoint.vocab)} characters, not those of this run's tweets.",
                f"Start a run with its own tweets: tweetgen-tui --checkpoint {name}",
            )
        run.reporter.emit_steps()
        run.checkpoints.save_before_load(path)
        self._continue_from(checkpoint, name, path)
        if run.state.progress.finish is not None:
            self._settings.cancel_finish()
        if halves_rate:
            self._settings.halve_learning_rate(checkpoint.info.training.learning_rate)
        run.checkpoints.save("latest")

    def go_back_to(self, name: str) -> float:
        """Continue from the run's own `latest` or `best`; a planned finish keeps its last step.

        Returns the checkpoint's learning rate. Raises `CheckpointError` before anything is changed.
        """
        folder = self._run.setup.folder
        self._run.checkpoints.wait()
        path = folder.checkpoint_path(name)
        checkpoint = load_checkpoint(path)
        self._continue_from(checkpoint, f"{folder.name}/{name}", path)
        return checkpoint.info.training.learning_rate

    def _continue_from(self, checkpoint: Checkpoint, name: str, path: Path) -> None:
        """Replace model, optimizer, generator states and position in the data; emit `CheckpointLoaded`."""
        run, state, data = self._run, self._run.state, self._run.setup.training_data
        checkpoint = checkpoint.grown_to(data.vocab, state.training.seed)
        info = checkpoint.info
        position = data.resume_position(info.corpus_digest, info.position)
        batches = data.batches(state.training, position, info.training)
        with generators_restored_on_error(state.runtime.device):
            model = TextGenerator.from_config(len(checkpoint.vocab), info.model).to(state.runtime.device)
            precision = supported_precision(model, state.training.batch_size, state.runtime.precision)
            runtime = replace(state.runtime, precision=precision)
            ranks = run.setup.ranks
            sum_over_ranks = None if ranks is None else ranks.sum_gradients_
            world_size = data.part.world_size
            trainer = Trainer(model, state.training, runtime, sum_over_ranks=sum_over_ranks, world_size=world_size)
            load_into(trainer, checkpoint, runtime)
        if precision != state.runtime.precision:
            run.reporter.emit(events.Warned, message=PRECISION_WARNING)
        state.runtime = runtime
        state.rank_generators = rank_generators(checkpoint, state.runtime.device.type)
        has_new_shape = info.model != state.model_config
        if not has_new_shape and state.trainer.micro_batch_size is not None:
            trainer.set_micro_batch_size(state.trainer.micro_batch_size)
        state.model_config = info.model
        state.progress.restore(info if info.corpus_digest == data.corpus.digest else without_figures(info))
        state.replace_trainer(trainer, batches)
        self._questions.restart()
        run.reporter.reset_throughput()
        run.checkpoints.saver.record_load(path)
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
