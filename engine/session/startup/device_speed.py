"""How fast a device trains, measured for about a second at the start: the preset `auto` chooses sizes by it.

Two GPUs differ by a factor of thirty, and a CPU may train faster than Apple's MPS, which runs a GRU step by step. A
repeatable run measures nothing, and neither do several processes, which would have to agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from engine.compute.device import Runtime, wait_for
from engine.compute.gpu.probe import supported_precision
from engine.compute.memory import free_memory, is_out_of_memory
from engine.config.presets import SpeedOf
from engine.config.run import ModelConfig, RunConfig, TrainingConfig
from engine.corpus.training_data import TrainingData
from engine.model.gru import TextGenerator
from engine.session.thread_tuning import initial_runtime
from engine.training.trainer import Trainer

SECONDS = 0.3
"""Time per model; steps that are in progress then are completed."""
_WARM_UP_STEPS = 4
"""Enough for a step to be recorded as a CUDA graph."""
_COMPARED = ModelConfig(embedding_size=256, hidden_size=256, tied_embeddings=True)
_COMPARED_BATCH_SIZE = 64


def speed_of(
    runtime: Runtime, data: TrainingData, on_trial: Callable[[], None], clock: Callable[[], float] = time.perf_counter
) -> SpeedOf:
    """Return the function that measures how fast new models train on these tweets. `on_trial` may raise."""

    def measure(config: ModelConfig, batch_size: int) -> float:
        """Return the characters per second; 0 where memory does not suffice. Draws from torch's generators."""
        on_trial()
        speed = 0.0
        try:
            speed = _measure(config, batch_size, runtime, data, clock)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        free_memory(runtime.device)  # outside of the `except`, whose traceback refers to the tensors
        return speed

    return measure


def _measure(
    config: ModelConfig, batch_size: int, runtime: Runtime, data: TrainingData, clock: Callable[[], float]
) -> float:
    """Train a new model on one batch again and again; return the characters per second."""
    model = TextGenerator.from_config(len(data.vocab), config).to(runtime.device)
    precision = supported_precision(model, batch_size, runtime.precision)
    trainer = Trainer(model, TrainingConfig(batch_size=batch_size), replace(runtime, precision=precision))
    batch = data.some_batches(batch_size)[0]

    def take_steps(count: int) -> None:
        for _ in range(count):
            trainer.step(batch, learning_rate=1e-8)
        wait_for(runtime.device)

    take_steps(_WARM_UP_STEPS)
    num_steps, began = 0, clock()
    while (seconds := clock() - began) < SECONDS:
        count = max(1, num_steps)
        take_steps(count)
        num_steps += count
    trainer.close()
    return num_steps * batch.num_targets / seconds


def faster_runtime(config: RunConfig, runtime: Runtime, data: TrainingData, on_trial: Callable[[], None]) -> Runtime:
    """Return `runtime`, or the CPU's where `--device auto` chose MPS and the CPU trains faster."""
    if runtime.device.type != "mps" or config.runtime.device != "auto":
        return runtime
    on_cpu = initial_runtime(replace(config, runtime=replace(config.runtime, device="cpu")), None)
    on_cpu.apply()
    speeds = [speed_of(each, data, on_trial)(_COMPARED, _COMPARED_BATCH_SIZE) for each in (runtime, on_cpu)]
    return runtime if speeds[0] >= speeds[1] else on_cpu
