"""What a checkpoint and the run's `config.json` contain, taken from the setup and the live state of a run."""

from __future__ import annotations

from torch import Tensor

from engine.checkpoints.metadata import CheckpointInfo
from engine.compute.device import generator_states
from engine.protocol import codec
from engine.session.setup import RunSetup
from engine.session.state import RunState
from engine.storage.versions import versions_of


def checkpoint_tensors(state: RunState) -> dict[str, Tensor]:
    """Return weights, optimizer state and the states of the global generators (`generator.`); not copies.

    Of several processes, `generator.DEVICE.RANK` are those of the followers.
    """
    device = state.runtime.device
    generators = {f"generator.{name}": tensor for name, tensor in generator_states(device).items()}
    followers = {f"generator.{device.type}.{rank}": tensor for rank, tensor in state.rank_generators.items()}
    return state.trainer.state() | generators | followers


def checkpoint_info(setup: RunSetup, state: RunState) -> CheckpointInfo:
    """Return the metadata of a checkpoint of this moment. All steps must have been reported."""
    data, progress = setup.training_data, state.progress
    return CheckpointInfo(
        run=setup.folder.name,
        corpus_name=data.corpus.name,
        corpus=data.config,
        corpus_digest=data.corpus.digest,
        model=state.model_config,
        training=state.training,
        sampling=state.sampling,
        vocab=data.vocab.chars,
        device=state.runtime.device.type,
        precision=state.runtime.precision,
        num_threads=state.runtime.num_threads,
        step_path=state.trainer.step_path,
        tuning=state.runtime.tuning,
        world_size=data.part.world_size,
        step=state.step,
        position=state.resume_position,
        elapsed_seconds=state.stopwatch.seconds,
        total_chars=progress.total_chars,
        last_sample_step=progress.last_sample_step,
        num_exact_samples=progress.num_exact_samples,
        last_eval_step=progress.last_eval_step,
        last_save_step=progress.last_save_step,
        train_loss=progress.train_loss,
        val_loss=progress.val_loss,
        bits_per_char=progress.bits_per_char,
        best_bits_per_char=progress.best_bits_per_char,
        finish=progress.finish,
        versions=versions_of("tweetgen-tui", "torch", "safetensors"),
    )


def config_content(setup: RunSetup, state: RunState) -> bytes:
    """Return the content of `config.json`: the settings and the runtime of the run, for people and scripts."""
    settings = {
        "corpus": setup.training_data.config,
        "model": state.model_config,
        "training": state.training,
        "sampling": state.sampling,
        "device": state.runtime.device.type,
        "precision": state.runtime.precision,
        "num_threads": state.runtime.num_threads,
        "step_path": state.trainer.step_path,
        "resumed_from": setup.resumed_from,
    }
    return codec.pretty(settings).encode()
