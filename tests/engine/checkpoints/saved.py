"""Checkpoints without a run, for tests of the file itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import save_checkpoint
from engine.checkpoints.format import CheckpointInfo, Progress
from engine.compute.device import generator_states
from engine.config.corpus import CorpusConfig
from engine.config.run import Computation, ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.model.gru import TextGenerator
from engine.protocol.progress import BatchCursor
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, encoded, some_batches

MODEL = ModelConfig(embedding_size=4, hidden_size=8)
WITH_TABLE = replace(MODEL, ngram_order=4, ngram_contexts=2)
CONTEXTS = (-(2**42), 2**63 - 1)
"""The contexts of its table."""


def checkpoint_info(**changes: Any) -> CheckpointInfo:
    """Return the metadata of a small run's checkpoint after two steps; `changes` name fields of its parts, too."""
    info = CheckpointInfo(
        run="a run",
        corpus_name="small.txt",
        corpus=CorpusConfig(files=("/tmp/small.txt",)),
        corpus_digest="0" * 64,
        model=MODEL,
        training=TrainingConfig(max_steps=12),
        sampling=SamplingConfig(temperature=0.7),
        vocab=encoded()[1].chars,
        computation=Computation(device="cpu", precision="float32", num_threads=1, tuning="", world_size=1),
        step=2,
        position=BatchCursor(epoch=0, batch=2),
        elapsed_seconds=1.5,
        progress=Progress(total_chars=345, train_loss=3.25),
        versions={"torch": "2"},
    )
    for part in ("progress", "computation"):
        names = changes.keys() & vars(getattr(info, part))
        info = replace(info, **{part: replace(getattr(info, part), **{name: changes.pop(name) for name in names})})
    return replace(info, **changes)


def trained(config: ModelConfig = MODEL, training: TrainingConfig | None = None, num_steps: int = 2) -> Trainer:
    """Return the trainer of a small model after some steps."""
    torch.manual_seed(0)
    model = TextGenerator.from_config(len(encoded()[1]), config)
    if model.ngram_input is not None:
        model.ngram_input.contexts.copy_(torch.tensor(CONTEXTS))
    trainer = Trainer(model, training or TrainingConfig(), CPU)
    for batch in some_batches(num_steps):
        trainer.step(batch, 0.004)
    return trainer


def checkpoint_tensors(config: ModelConfig = MODEL, training: TrainingConfig | None = None) -> dict[str, Tensor]:
    """Return weights, optimizer state and generator states of a small model after two steps."""
    generators = {f"generator.{name}": state for name, state in generator_states(CPU.device).items()}
    return trained(config, training).state() | generators


def write_checkpoint(path: Path, tensors: dict[str, Tensor] | None = None, **changes: Any) -> Path:
    """Write a checkpoint and return its path."""
    save_checkpoint(path, checkpoint_info(**changes), checkpoint_tensors() if tensors is None else tensors)
    return path
