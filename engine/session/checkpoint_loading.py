"""`CheckpointLoader`: has a run go on from another checkpoint, one that the user names or one of its own."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints.catalog import resolve_checkpoint
from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.compute.device import generators_restored_on_error
from engine.errors import CheckpointError
from engine.model.gru import TextGenerator
from engine.protocol import events
from engine.session.reporter import Reporter
from engine.session.run import Run
from engine.session.setup import Preparation, load_into
from engine.training.trainer import Trainer


class CheckpointLoader:
    """Loads into one run. Used by the session's thread only."""

    def __init__(self, run: Run, preparation: Preparation, reporter: Reporter) -> None:
        """Load into `run`, which is made of `preparation`, and tell it to `reporter`."""
        self._run = run
        self._prepared = preparation
        self._reporter = reporter

    def load(self, name: str, *, halves_rate: bool = False) -> None:
        """Go on from another checkpoint of the same vocabulary, whatever the shape of its model.

        What was learned so far is kept as the run's own checkpoint `step-N`, and `latest` is what was loaded. With
        `halves_rate` the run goes on at half the checkpoint's learning rate, or half its own where that is lower.
        Raises `CheckpointError`, and `StorageError` or `ConfigError` where the current weights can't be saved, before
        anything was changed.
        """
        run = self._run
        checkpoint = load_checkpoint(path := resolve_checkpoint(name))
        if checkpoint.vocab != self._prepared.training_data.vocab:
            raise CheckpointError(
                f"{name} has another vocabulary: {len(checkpoint.vocab)} characters, not those of this run's tweets.",
                f"Start it with its own: tweetgen-tui --checkpoint {name}",
            )
        self._reporter.emit_steps()
        run.save_before_load(path)
        self._go_on_from(checkpoint, name, path)
        if run.progress.finish is not None:
            run.cancel_finish()
        if halves_rate:
            run.halve_learning_rate(checkpoint.info.training.learning_rate)
        run.save("latest")

    def go_back_to(self, name: str) -> float:
        """Go on from the run's own `latest` or `best`; a finish that was asked for stays where it was.

        Returns the checkpoint's learning rate. Raises `CheckpointError` before anything was changed.
        """
        folder = self._prepared.folder
        path = folder.checkpoint_path(name)
        checkpoint = load_checkpoint(path)
        self._go_on_from(checkpoint, f"{folder.name}/{name}", path)
        return checkpoint.info.training.learning_rate

    def _go_on_from(self, checkpoint: Checkpoint, name: str, path: Path) -> None:
        """Take over model, optimizer, generators and place in the data; tell it."""
        run, info, prepared = self._run, checkpoint.info, self._prepared
        place = prepared.training_data.resume_position(info.corpus_digest, info.position)
        batches = prepared.training_data.batches(run.training, place, info.training.batch_size)
        with generators_restored_on_error(prepared.runtime.device):
            model = TextGenerator.from_config(len(checkpoint.vocab), info.model).to(prepared.runtime.device)
            trainer = Trainer(model, run.training, prepared.runtime)
            load_into(trainer, checkpoint, prepared.runtime)
        has_new_shape = info.model != prepared.model_config
        if not has_new_shape and run.trainer.micro_batch_size is not None:
            trainer.set_micro_batch_size(run.trainer.micro_batch_size)
        prepared.model_config = info.model
        run.progress.go_to(info)
        run.replace_trainer(trainer, batches)
        run.record_load(path)
        self._reporter.last_train_loss = info.train_loss
        self._reporter.emit(
            events.CheckpointLoaded,
            name=name,
            path=str(path),
            bits_per_char=info.bits_per_char,
            epochs=run.batches.epochs,
        )
        if has_new_shape:
            if prepared.thread_tuner is not None:
                prepared.thread_tuner.reset()
            self._reporter.emit(events.ModelChanged, model=info.model, num_parameters=model.num_parameters)
