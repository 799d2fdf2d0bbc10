"""Runs from a checkpoint, and what the checkpoints of a run contain."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.metadata import CheckpointInfo, read_info
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig, Setting
from engine.storage.folders import find_run


def branch_config(
    corpus: Path | None, run_name: str, checkpoint: str = "tiny/latest", **settings: Setting
) -> RunConfig:
    """Return the config of a new run from a checkpoint; without a corpus on the checkpoint's tweets."""
    files = CorpusConfig(files=(str(corpus),)) if corpus else None
    runtime = RuntimeConfig(device="cpu", precision="float32", threads=1)
    return RunConfig(checkpoint=checkpoint, settings=settings, corpus=files, runtime=runtime, run_name=run_name)


def info_of(run: str, name: str = "latest") -> CheckpointInfo:
    """Return the metadata of a checkpoint of a run."""
    return read_info(find_run(run).checkpoint_path(name))[0]


def tensors_of(run: str, name: str = "latest") -> dict[str, Tensor]:
    """Return the tensors of a checkpoint of a run."""
    return load_checkpoint(find_run(run).checkpoint_path(name)).tensors
