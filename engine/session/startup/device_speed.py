"""How fast this machine trains models, measured in a second or two at the start: the preset `auto` chooses by it.

Two GPUs differ by a factor of thirty, processors by a factor of three in what bfloat16 and small batches gain or cost,
and a CPU may train faster than Apple's MPS, which runs a GRU step by step. A repeatable run measures nothing, and
neither do several processes, which would have to agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.compute.device import Runtime, wait_for
from engine.compute.gpu_step import supported_precision
from engine.compute.memory import free_memory, is_out_of_memory
from engine.config.presets import PresetConfigs, SpeedOf
from engine.config.run import ModelConfig, RunConfig, TrainingConfig
from engine.corpus.training_data import TrainingData
from engine.model.gru import TextGenerator
from engine.session.startup.new_model import new_model
from engine.session.thread_tuning import initial_runtime
from engine.training.trainer import Trainer

SECONDS = {"cpu": 0.1, "mps": 0.3, "cuda": 0.3}
"""Time for each model, batch size and runtime; steps that are in progress then are completed."""
_WARM_UP_STEPS = {"cpu": 1, "mps": 4, "cuda": 4}
"""Enough for kernels to be compiled, and for a step to be recorded as a CUDA graph."""
_COMPARED = PresetConfigs(
    model=ModelConfig(embedding_size=256, hidden_size=256, tied_embeddings=True), training=TrainingConfig(batch_size=64)
)


def speed_of(
    runtimes: Sequence[Runtime],
    data: TrainingData,
    on_trial: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> SpeedOf:
    """Return the function that measures how fast new models train on these tweets, in the fastest of the `runtimes`.

    All of them are tried with the first model, those with as many threads as were fastest with it with any other, and
    in batches of another size. `on_trial` may raise.
    """
    tried = list(runtimes)
    speeds: dict[tuple[ModelConfig, int], float] = {}

    def measure(configs: PresetConfigs) -> float:
        """Return the characters per second; 0 where memory does not suffice. Draws from torch's generators."""
        key = configs.model, configs.training.batch_size
        if key not in speeds:
            found = _speeds_in(tried, configs, data, on_trial, clock)
            free_memory(runtimes[0].device)
            num_threads = max(tried, key=lambda runtime: found[runtime]).num_threads
            tried[:] = [runtime for runtime in tried if runtime.num_threads == num_threads]
            speeds[key] = max(found.values())
        return speeds[key]

    return measure


def _speeds_in(
    runtimes: Sequence[Runtime],
    configs: PresetConfigs,
    data: TrainingData,
    on_trial: Callable[[], None],
    clock: Callable[[], float],
) -> dict[Runtime, float]:
    """Return the characters per second in each runtime; 0 where memory does not suffice."""
    speeds = {}
    try:
        model = new_model(configs.model, data)[1].to(runtimes[0].device)
        for runtime in runtimes:
            on_trial()
            speeds[runtime] = _measure(model, configs.training, runtime, data, clock)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return dict.fromkeys(runtimes, 0.0)
    return speeds


def _measure(
    model: TextGenerator, training: TrainingConfig, runtime: Runtime, data: TrainingData, clock: Callable[[], float]
) -> float:
    """Train a model on a batch of median length again and again; return the characters per second."""
    runtime.apply()
    precision = supported_precision(model, training.batch_size, runtime.precision)
    trainer = Trainer(model, training, replace(runtime, precision=precision))
    batches = sorted(data.some_batches(training.batch_size), key=lambda batch: batch.num_targets)
    batch = batches[len(batches) // 2]

    def take_steps(count: int) -> None:
        for _ in range(count):
            trainer.step(batch, learning_rate=1e-8)
        wait_for(runtime.device)

    take_steps(_WARM_UP_STEPS[runtime.device.type])
    num_steps, began = 0, clock()
    while (seconds := clock() - began) < SECONDS[runtime.device.type]:
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
    speeds = [speed_of([each], data, on_trial)(_COMPARED) for each in (runtime, on_cpu)]
    return runtime if speeds[0] >= speeds[1] else on_cpu
