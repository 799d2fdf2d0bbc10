"""What a checkpoint and the run's `config.json` contain, taken from the setup and the live state of a run."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from engine.checkpoints.host_copy import HostCopy
from engine.checkpoints.metadata import CheckpointInfo
from engine.compute.device import generator_states
from engine.protocol import codec
from engine.session.state import RunSetup, RunState
from engine.storage.log import versions_of


def checkpoint_tensors(state: RunState) -> dict[str, Tensor]:
    """Return weights, optimizer state and the states of the global generators (`generator.`); not copies."""
    return state.trainer.state() | _generator_tensors(state)


def _generator_tensors(state: RunState) -> dict[str, Tensor]:
    """Return the states of the generators; of several processes, `generator.DEVICE.RANK` are those of the followers."""
    device = state.runtime.device
    generators = {f"generator.{name}": tensor for name, tensor in generator_states(device).items()}
    return generators | {f"generator.{device.type}.{rank}": tensor for rank, tensor in state.rank_generators.items()}


class Snapshots:
    """Copies of a run's state for its checkpoints. Used by the session's thread only.

    Checkpoints of one step share a copy, and a later copy reuses the memory of one that is no longer in use. So there
    is one in a run whose disk keeps up; `CheckpointSaver` limits their number where it does not.
    """

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._copies: list[HostCopy] = []
        """The one taken last is the last."""
        self._step: int | None = None
        """Of the last copy; None where it is not that of the run's state any more."""

    def forget_step(self) -> None:
        """Share no copy taken so far: the state was replaced."""
        self._step = None

    @property
    def is_shared(self) -> bool:
        """Whether `take` returns the last copy."""
        if self._step != self._state.step:
            return False
        tensors = self._copies[-1].tensors
        generators = _generator_tensors(self._state)
        return all(name in tensors and torch.equal(state, tensors[name]) for name, state in generators.items())

    def take(self, in_use: Collection[HostCopy]) -> HostCopy:
        """Return a copy of the state. `in_use` are the copies that are not written yet.

        Raises what torch raises where memory runs out; then no memory is kept for later copies.
        """
        if self.is_shared:
            return self._copies[-1]
        self._step = None
        spare = next((copy for copy in self._copies if copy not in in_use), None)
        self._copies = [copy for copy in self._copies if copy in in_use]
        self._copies.append(HostCopy.of(checkpoint_tensors(self._state), spare))
        self._step = self._state.step
        return self._copies[-1]


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
        tuning=state.runtime.tuning,
        world_size=data.part.world_size,
        step=state.step,
        position=state.resume_position,
        elapsed_seconds=state.stopwatch.seconds,
        total_chars=progress.total_chars,
        last_sample_step=progress.last_sample_step,
        num_exact_samples=progress.num_exact_samples,
        last_eval_step=progress.last_eval_step,
        is_eval_early=progress.is_eval_early,
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
        "world_size": setup.training_data.part.world_size,
        "backend": "" if setup.ranks is None else setup.ranks.backend,
        "resumed_from": setup.resumed_from,
    }
    return codec.pretty(settings).encode()
