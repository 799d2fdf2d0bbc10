"""`NewModelSpeeds`: how fast new models train on this machine, before a run of the preset `auto`.

The speeds choose the sizes (`engine.config.scaling`); threads and precision are chosen as in `engine.training.tuning`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from engine.compute.device import Runtime, wait_for
from engine.compute.gpu_step import supported_precision
from engine.compute.memory import free_memory, is_out_of_memory
from engine.config.presets import WITHOUT_BUDGET_SECONDS, PresetConfigs
from engine.config.run import ModelConfig, RunConfig, TrainingConfig
from engine.config.scaling import MEASURED_BATCH_SIZES, Size
from engine.corpus.arrays import Batch
from engine.corpus.training_data import TrainingData
from engine.model.gru import TextGenerator
from engine.training.trainer import Trainer, split_batch
from engine.training.tuning import (
    FEWER_THREADS_AT_START,
    START_SECONDS,
    Choices,
    choices_for,
    fastest,
    initial_runtime,
    median,
)

_COMPARED = PresetConfigs(
    model=ModelConfig(embedding_size=256, hidden_size=256, tied_embeddings=True), training=TrainingConfig()
)
MEASURED_SHARE = 0.02
"""Most of a budget that measuring on a CPU may take before it begins, except for the first model."""
SPEED_SECONDS = {"cpu": 0.1, "mps": 0.3, "cuda": 0.3}
"""Time for the speed of each model."""
PRICE_ROUNDS = 3
"""Timed rounds of steps on a batch and on some of its parts."""
_PRICED_PARTS = 2
_WARM_UP_STEPS = {"cpu": 1, "mps": 4, "cuda": 4}
"""Enough for kernels to be compiled, and for a step to be recorded as a CUDA graph."""
_Sizes = tuple[int, int, int]


class NewModelSpeeds:
    """How fast new models train on some tweets, and in which threads and precision; draws from torch's generators.

    All open threads and precisions are tried with the first model. Others use the threads that were fastest with it,
    and bfloat16 where that was: larger models gain more by it.
    """

    def __init__(
        self,
        config: RunConfig,
        runtime: Runtime,
        data: TrainingData,
        build: Callable[[ModelConfig], TextGenerator],
        check: Callable[[], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`runtime` is that of the start; `build` makes a model, and `check`, called in between, may raise."""
        self.runtime = runtime
        self._choices = choices_for(config, runtime, None)
        self._data = data
        self._build = build
        self._check = check
        self._clock = clock
        seconds = MEASURED_SHARE * float(config.settings.get("max_seconds", WITHOUT_BUDGET_SECONDS))  # type: ignore[arg-type] # a number
        self._seconds_left = seconds if runtime.device.type == "cpu" else math.inf
        self._speeds: dict[tuple[int, ...], list[float]] = {}
        """By the sizes of a model and of its batches."""
        self._runtimes: dict[_Sizes, Runtime] = {}
        self._seconds_per_work = 0.0
        """Seconds that the speed of the last model took, for a multiplication of its recurrent weights."""

    def speeds_of(self, configs: PresetConfigs, batch_sizes: Sequence[int]) -> list[float] | None:
        """Return the characters per second of training in batches of these sizes, the largest first.

        They are 0 where memory does not suffice; None if there is no time left to measure, but never for the first
        model.
        """
        case = (*_sizes_of(configs.model), *batch_sizes)
        if case not in self._speeds:
            if self._speeds and self._seconds_per_work * _work_of(configs.model) > self._seconds_left:
                return None
            try:
                self._speeds[case] = self._measure(configs, batch_sizes)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._speeds[case] = [0.0 for _ in batch_sizes]
            free_memory(self.runtime.device)
        return self._speeds[case]

    def runtime_for(self, model: ModelConfig) -> Runtime:
        """Return the fastest runtime for a model, or that of the start where the model was not measured."""
        return self._runtimes.get(_sizes_of(model), self.runtime)

    def _measure(self, configs: PresetConfigs, batch_sizes: Sequence[int]) -> list[float]:
        """Return the speeds of a model.

        That of smaller batches is the one of the largest divided by the price of a character.
        """
        self._check()
        runtime = self.runtime
        largest, *smaller = batch_sizes
        runtime.apply()
        model = self._build(configs.model).to(runtime.device)
        precision = supported_precision(model, largest, runtime.precision)
        trainer = Trainer(model, configs.training, replace(runtime, precision=precision))
        batch = median(self._data.some_batches(largest))
        if runtime.device.type == "cpu":
            for each in self._choices.precisions:  # what the first start compiles is no time for measuring
                trainer.precision = each
                trainer.forward_backward(batch.part(slice(1)))
            trainer.precision = precision
        began = self._clock()
        try:
            if runtime.tuning == "due":
                self._choose_runtime(_sizes_of(configs.model), trainer, batch)
            chosen = self._clock()
            speed = _chars_per_second(trainer, batch)
            speeds = [speed, *(speed / price_of_parts(trainer, batch, size) for size in smaller)]
            self._seconds_per_work = (self._clock() - chosen) / _work_of(configs.model)
            return speeds
        finally:
            self._seconds_left -= self._clock() - began

    def _choose_runtime(self, sizes: _Sizes, trainer: Trainer, batch: Batch) -> None:
        """Choose the threads and the precision for a model, and limit what is open for the next ones."""
        best = replace(self.runtime, tuning="measured")
        if len(self._choices.counts) * len(self._choices.precisions) > 1:
            found = fastest(
                trainer, batch, self.runtime, self._choices, START_SECONDS, self._check, FEWER_THREADS_AT_START
            )
            best = found.runtime
        self._runtimes[sizes] = best
        self.runtime = replace(best, tuning="due")
        precisions = ("bfloat16",) if best.precision == "bfloat16" else self._choices.precisions
        self._choices = Choices(counts=(best.num_threads,), precisions=precisions)
        trainer.use_precision(best.precision)
        best.apply()


def _sizes_of(model: ModelConfig) -> _Sizes:
    """Return what the speed of a model depends on."""
    return model.embedding_size, model.hidden_size, model.num_layers


def _work_of(model: ModelConfig) -> int:
    """Return the multiplications of a character by the recurrent weights, but for a factor."""
    return Size(model.hidden_size, model.num_layers).work


def _chars_per_second(trainer: Trainer, batch: Batch) -> float:
    """Return the speed of whole steps on the batch; steps that are in progress when the time is over are completed."""
    device_type = trainer.model.device.type

    def take_steps(count: int) -> None:
        for _ in range(count):
            trainer.step(batch, learning_rate=1e-8)
        wait_for(trainer.model.device)

    take_steps(_WARM_UP_STEPS[device_type])
    num_steps, began = 0, time.perf_counter()
    while (seconds := time.perf_counter() - began) < SPEED_SECONDS[device_type]:
        count = 1 if device_type == "cpu" else max(1, num_steps)  # on a device, waiting takes time
        take_steps(count)
        num_steps += count
    trainer.close()
    return num_steps * batch.num_targets / seconds


def price_of_parts(
    trainer: Trainer, batch: Batch, part_size: int, cpu_clock: Callable[[], float] = time.thread_time
) -> float:
    """Return how many times as much a character costs in steps on parts of a batch as in one step on all of it.

    Both are timed in turns, and in the time that this thread computes: on busy cores the speed of a tenth of a second
    varies by a factor of four, and where two threads compute, each has half of the work.
    """
    parts, prices = split_batch(batch, part_size)[:_PRICED_PARTS], list[float]()
    for _ in range(1 + PRICE_ROUNDS):  # memory is allocated in the first one
        seconds_per_char = []
        for batches in ([batch], parts):
            began = cpu_clock()
            for each in batches:
                trainer.step(each, learning_rate=1e-8)
            seconds_per_char.append(max(cpu_clock() - began, 1e-9) / sum(each.num_targets for each in batches))
        prices.append(seconds_per_char[1] / seconds_per_char[0])
    return float(np.median(prices[1:]))


def new_model_speeds(
    config: RunConfig,
    runtime: Runtime,
    data: TrainingData,
    build: Callable[[ModelConfig], TextGenerator],
    check: Callable[[], None],
) -> NewModelSpeeds:
    """Return the speeds on `runtime`, or on the CPU where `--device auto` chose MPS and the CPU trains faster."""
    speeds = NewModelSpeeds(config, runtime, data, build, check)
    if runtime.device.type != "mps" or config.runtime.device != "auto":
        return speeds
    on_cpu = initial_runtime(replace(config, runtime=replace(config.runtime, device="cpu")), None)
    return max(
        (speeds, NewModelSpeeds(config, on_cpu, data, build, check)),
        key=lambda each: each.speeds_of(_COMPARED, MEASURED_BATCH_SIZES) or [],
    )
