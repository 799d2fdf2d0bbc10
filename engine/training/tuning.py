"""What is fastest on this machine: the number of threads, and the precision on a CPU.

None of it can be known in advance. Two GPUs differ by a factor of thirty, and processors by a factor of three in what
bfloat16 and small batches gain or cost; two threads on idle cores do up to 1.6 times the work of one, and less than one
while other processes occupy the cores.

* **Before a new run** of the preset `auto`, new models are tried (`engine.training.new_model_speeds`): their speeds
  choose the sizes (`engine.config.scaling`), and the threads and the precision that were fastest train the run.
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
from engine.compute.device import Runtime
from engine.config.run import Computation, RunConfig
from engine.corpus.arrays import Batch
from engine.model.vocab import PAD
from engine.training.trainer import Trainer

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
