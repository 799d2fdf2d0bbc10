"""How many processes train a run on this machine, on which device, and with how many threads each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from engine.checkpoints.catalog import latest_of, resolve_checkpoint
from engine.checkpoints.metadata import read_info
from engine.config.fields import with_settings
from engine.config.presets import resolve_preset
from engine.config.run import RunConfig, RuntimeConfig, TrainingConfig
from engine.errors import DeviceError
from engine.storage.folders import find_run

AUTO = 0
"""As many processes as there are GPUs, or fewer."""
MAX_PROCESSES = 256
MIN_ROWS = 64
"""Rows of a batch below which one more GPU gains little: the steps then wait for each other."""
_DRIVERS = ("nvidia[0-9]*", "kfd", "dxg")
"""Device files of NVIDIA's and AMD's drivers, and of both in WSL."""
_ANY_LENGTH = 10_000_000
"""Characters of a corpus; no preset's batch size depends on it."""


@dataclass(frozen=True, kw_only=True)
class Processes:
    """How a run is divided among processes."""

    count: int
    runtime: RuntimeConfig
    threads: int
    """Of each process."""
    note: str = ""
    """How many `AUTO` chose, and why."""

    @classmethod
    def choose(cls, wanted: int, config: RunConfig) -> Processes:
        """Choose for `wanted` processes, or `AUTO`. Imports torch. Raises `DeviceError` for what this machine lacks."""
        from engine.compute.device import available_cores

        cores, runtime = available_cores(), config.runtime
        num_gpus = 0 if runtime.device in {"cpu", "mps"} else _num_gpus()
        count, note = _chosen_by(num_gpus, config) if wanted == AUTO else (wanted, "")
        if count == 1:
            return cls(count=1, runtime=runtime, threads=runtime.threads, note=note)
        if runtime.device == "mps":
            raise DeviceError("One process at a time can train on mps.", "Leave --nproc-per-node out.")
        if num_gpus or runtime.device == "cuda":
            if count > num_gpus:
                raise _too_many(count, num_gpus, runtime.device)
            runtime = replace(runtime, device="cuda")
            return cls(count=count, runtime=runtime, threads=runtime.threads or max(1, cores // count), note=note)
        threads = runtime.threads or max(1, cores // count)
        if count * threads > cores:
            by_threads = f" with {threads} threads each" if threads > 1 else ""
            raise DeviceError(
                f"This program may use {cores} CPU cores; {count} processes{by_threads} would wait for each other.",
                f"Set --nproc-per-node to at most {max(1, cores // threads)}.",
            )
        return cls(count=count, runtime=replace(runtime, device="cpu", threads=threads), threads=threads, note=note)


def _too_many(count: int, num_gpus: int, device: str) -> DeviceError:
    """Return the error for more processes than GPUs."""
    available = "1 GPU" if num_gpus == 1 else f"{num_gpus} GPUs"
    cpu = "" if device == "cuda" else ", or --device cpu"
    hint = f"Set --nproc-per-node to a smaller number or auto{cpu}."
    return DeviceError(
        f"This machine has {available}; each of {count} processes needs one of its own.",
        hint if num_gpus else "Set --device cpu, or leave --nproc-per-node out.",
    )


def _num_gpus() -> int:
    """Return the number of GPUs that torch can use."""
    import torch

    return torch.cuda.device_count()


def may_have_gpu() -> bool:
    """Return whether a driver of GPUs is loaded, without torch."""
    return any(True for driver in _DRIVERS for _ in Path("/dev").glob(driver))


def _chosen_by(num_gpus: int, config: RunConfig) -> tuple[int, str]:
    """Return the number of processes that `AUTO` stands for, and why."""
    if config.runtime.device in {"cpu", "mps"}:
        return 1, f"--nproc-per-node auto: 1 process on {config.runtime.device}."
    if not num_gpus:
        return 1, WITHOUT_GPU
    batch_size = batch_size_of(config)
    count = max(1, min(num_gpus, batch_size // MIN_ROWS))
    processes = "1 process" if count == 1 else f"{count} processes"
    if count < num_gpus:
        why = f"of {num_gpus} GPUs {count}, since more would have fewer than {MIN_ROWS} of the {batch_size} rows each"
    else:
        why = f"of {num_gpus} GPUs all" if num_gpus > 1 else "the machine has 1 GPU"
    return count, f"--nproc-per-node auto: {processes} ({why})."


WITHOUT_GPU = "--nproc-per-node auto: 1 process, since the machine has no GPU that torch can use."


def batch_size_of(config: RunConfig) -> int:
    """Return the batch size that a run on GPUs starts with. Raises `TweetgenError` for a checkpoint without one."""
    if "batch_size" in config.settings:
        return with_settings(TrainingConfig(), config.settings).batch_size
    if config.resume is not None:
        return read_info(latest_of(find_run(config.resume)))[0].training.batch_size
    if config.checkpoint is not None:
        return read_info(resolve_checkpoint(config.checkpoint))[0].training.batch_size
    return resolve_preset(config.preset, config.settings, _ANY_LENGTH, "cuda").training.batch_size
