"""What is fastest on this machine: the sizes of a new model, the number of threads, and the precision on a CPU.

None of it can be known in advance. Two GPUs differ by a factor of thirty, and processors by a factor of three in what
bfloat16 and small batches gain or cost; two threads on idle cores do up to 1.6 times the work of one, and less than one
while other processes occupy the cores.

* **Before a new run** of the preset `auto`, new models are tried (`NewModelSpeeds`): their speeds choose the sizes
  (`engine.config.scaling`), and the threads and the precision that were fastest train the run.
* **Other new runs** take their first step on two threads in float32, and are measured after it (`ThreadTuner`). The
  trials change neither weights nor optimizer nor any generator, so only the rounding of the computation depends on a
  clock.
* **Later**, threads alone are measured again when the steps have become slow, and from time to time
  (`SlowdownDetector`).

**A repeatable run** measures nothing: the same command must give the same run, which a clock can't promise. A run
that continues from a checkpoint keeps the checkpoint's choice, as far as the machine has it. Several processes measure
nothing: they would disturb each other, and would have to agree.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeVar

import numpy as np
import torch

from engine.compute import device
from engine.compute.device import Runtime, wait_for
from engine.compute.gpu_step import supported_precision
from engine.compute.memory import free_memory, is_out_of_memory
from engine.config.presets import WITHOUT_BUDGET_SECONDS, PresetConfigs
from engine.config.run import Computation, ModelConfig, RunConfig, TrainingConfig
from engine.config.scaling import MEASURED_BATCH_SIZES, Size
from engine.corpus.arrays import Batch
from engine.corpus.training_data import TrainingData
from engine.model.gru import TextGenerator
from engine.model.vocab import PAD
from engine.training.trainer import Trainer, split_batch

FIRST_THREADS = 2
"""Threads of a run before any measurement: 1.4 times as fast as one on idle cores, and at worst half as fast."""
MAX_THREADS = 8
"""Largest candidate; bounds the time spent measuring."""


# What is open ---------------------------------------------------------------------------------------------------------
def initial_runtime(config: RunConfig, before: Computation | None, *, is_shared: bool = False) -> Runtime:
    """Return the runtime that a run starts with. Raises `DeviceError` for what this machine lacks.

    `before` is that of the checkpoint which it continues: its threads are limited to the cores, and its precision to
    what the device trains in. `is_shared` is a run of several processes.
    """
    wanted = config.runtime
    cores = device.available_cores()
    if before is None:
        runtime = Runtime.resolve(wanted)
    else:
        runtime = Runtime.resolve(replace(wanted, threads=wanted.threads or min(before.num_threads, cores)))
        if wanted.precision == "auto" and (
            before.precision == "float32" or device.may_train_in_bfloat16(runtime.device)
        ):
            runtime = replace(runtime, precision=before.precision)
    choices = choices_for(config, runtime, before)
    has_several = len(choices.counts) > 1 or len(choices.precisions) > 1
    is_open = has_several and not (config.is_repeatable or is_shared)
    if runtime.device.type != "cpu" or not is_open:
        return runtime
    if before is None:
        return replace(runtime, num_threads=wanted.threads or min(FIRST_THREADS, cores), tuning="due")
    return replace(runtime, tuning=before.tuning or "measured")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The candidates of a measurement on the CPU."""

    counts: tuple[int, ...]
    """Numbers of threads, ascending."""
    precisions: tuple[str, ...]


def choices_for(config: RunConfig, runtime: Runtime, before: Computation | None) -> Choices:
    """Return what the user left open of threads and precision, for a run that starts as `runtime`.

    The precision of a checkpoint is open only if it was saved before any measurement.
    """
    wanted = config.runtime
    counts = {wanted.threads} if wanted.threads else {*thread_counts(device.available_cores()), runtime.num_threads}
    is_open = wanted.precision == "auto" and device.cpu_has_bfloat16() and (before is None or before.tuning == "due")
    return Choices(
        counts=tuple(sorted(counts)), precisions=("float32", "bfloat16") if is_open else (runtime.precision,)
    )


def thread_counts(num_cores: int) -> list[int]:
    """Return the candidate numbers of threads for so many cores: the powers of two, and all cores."""
    most = min(num_cores, MAX_THREADS)
    return sorted({2**power for power in range(most.bit_length())} | {most})


# Trials: passes of the same work, by candidates in turns --------------------------------------------------------------
START_SECONDS, LATER_SECONDS = 0.06, 0.35
"""Limit for each candidate: of the first measurement, for which the user waits, and of later ones."""
MIN_ROUNDS = 3
"""Timed passes of each candidate, even if they take longer."""
COLUMNS = 48
"""Characters of each tweet in a trial; on fewer, bfloat16 gains little."""
PATIENCE_SECONDS = 0.05
"""A candidate with several threads drops out once it is this far behind the fastest, and `_FAR_BEHIND` times slower."""
_FAR_BEHIND = 1.5
_MORE_THREADS, FEWER_THREADS = 1.1, 1.05
"""Speedup at which more, or fewer, threads replace those in use."""
FEWER_THREADS_AT_START = 1.3
"""The latter where the sizes of a model depend on it. On cores that are shared for some seconds, two threads are up to
1.3 times slower than one and then as much faster: threads are measured again, while the sizes last for the whole run.
"""
_BFLOAT16 = 1.15
"""Speedup at which bfloat16 replaces float32."""
_Variant = TypeVar("_Variant")
_Seconds = dict[Runtime, list[tuple[float, float]]]
"""Seconds of each candidate by rounds: on the clock, in which threads wait for busy cores and for each other; and of
this thread on a core, which other processes hardly change."""


@dataclass(frozen=True, kw_only=True)
class Fastest:
    """The outcome of a measurement."""

    runtime: Runtime
    ratio: float
    """The speedup over the runtime that was in use."""
    chars_per_second: float


def fastest(
    trainer: Trainer,
    batch: Batch,
    in_use: Runtime,
    choices: Choices,
    limit_seconds: float,
    check: Callable[[], None],
    fewer_threads: float = FEWER_THREADS,
) -> Fastest:
    """Choose the precision for each number of threads, and among these the number, as in `best_of`.

    On busy cores the seconds of a trial vary by a third, which is more than most processors gain by bfloat16. So
    precisions are compared in the time that this thread computes. `check` runs before each trial and may raise. Trainer
    and torch are left as in the last trial.
    """
    inputs, targets = batch.inputs[:, :COLUMNS], batch.targets[:, :COLUMNS]
    part = Batch(inputs, targets, num_targets=int((targets != PAD).sum()))

    def run_trial(candidate: Runtime) -> None:
        check()
        torch.set_num_threads(candidate.num_threads)
        trainer.precision = candidate.precision
        trainer.forward_backward(part)

    precisions, counts = choices.precisions, choices.counts
    candidates = [replace(in_use, num_threads=number, precision=each) for number in counts for each in precisions]
    seconds = compare(run_trial, candidates, limit_seconds)
    best = best_of(seconds, in_use, fewer_threads)
    mean_seconds = float(np.mean([on_clock for on_clock, _ in seconds[best]]))
    return Fastest(
        runtime=replace(best, tuning="measured"),
        ratio=speedup(seconds, best, in_use),
        chars_per_second=part.num_targets / mean_seconds,
    )


def compare(
    run: Callable[[Runtime], None],
    candidates: Sequence[Runtime],
    limit_seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.thread_time,
) -> _Seconds:
    """Run rounds of trials until the time is over, `limit_seconds` a candidate; return the seconds of each.

    The first round is not timed: it allocates memory, starts threads, and compiles. A candidate that is far behind
    drops out, but never one thread: it can't block itself, so if it is behind, that is a chance delay.
    """
    seconds: _Seconds = {candidate: [] for candidate in candidates}
    remaining, deadline = list(candidates), math.inf
    for number in count():
        for candidate in rotated(remaining, number):
            began, cpu_began = clock(), cpu_clock()
            run(candidate)
            if number:
                seconds[candidate].append((max(clock() - began, 1e-9), max(cpu_clock() - cpu_began, 1e-9)))
        if not number:
            deadline = clock() + limit_seconds * len(candidates)
            continue
        totals = {candidate: sum(on_clock for on_clock, _ in seconds[candidate]) for candidate in remaining}
        most = max(_FAR_BEHIND * min(totals.values()), min(totals.values()) + PATIENCE_SECONDS)
        remaining = [each for each in remaining if each.num_threads == 1 or totals[each] < most]
        if number >= MIN_ROUNDS and (clock() >= deadline or len(remaining) == 1 < len(candidates)):
            break
    return seconds


def rotated(variants: Sequence[_Variant], number: int) -> list[_Variant]:
    """Return the order of `variants` in round `number`: each round starts with another one."""
    first = number % len(variants)
    return [*variants[first:], *variants[:first]]


def speedup(seconds: _Seconds, candidate: Runtime, other: Runtime, *, of_cpu: bool = False) -> float:
    """Return the speedup of `candidate` over `other` in the rounds that both ran, on the clock or in CPU time.

    It is the smaller of the speedup over all of them and the median: a chance delay of `other` does not make
    `candidate` fast, and rare but long delays of `candidate` count in full.
    """
    pairs = zip(seconds[other], seconds[candidate], strict=False)
    others, own = np.array([(one[of_cpu], two[of_cpu]) for one, two in pairs]).T
    return float(min(others.sum() / own.sum(), np.median(others / own)))


def best_of(seconds: _Seconds, in_use: Runtime, fewer_threads: float = FEWER_THREADS) -> Runtime:
    """Return the fastest candidate: another number of threads than that in use, or bfloat16, must be clearly faster.

    Fewer threads must be so many times as fast.
    """
    by_count: dict[int, Runtime] = {}
    for candidate in sorted(seconds, key=lambda each: (each.num_threads, each.precision != "float32")):
        chosen = by_count.setdefault(candidate.num_threads, candidate)
        if candidate != chosen and speedup(seconds, candidate, chosen, of_cpu=True) > _BFLOAT16:
            by_count[candidate.num_threads] = candidate
    best = by_count[in_use.num_threads]
    for candidate in by_count.values():
        needed = _MORE_THREADS if candidate.num_threads > best.num_threads else fewer_threads
        if candidate != best and speedup(seconds, candidate, best) > needed:
            best = candidate
    return best


def median(batches: Sequence[Batch]) -> Batch:
    """Return the batch of median length."""
    return sorted(batches, key=lambda batch: batch.num_targets)[len(batches) // 2]


# Before the first step ------------------------------------------------------------------------------------------------
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
