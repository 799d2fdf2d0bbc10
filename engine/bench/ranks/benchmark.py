"""`measure_steps`: the leader runs the trials of `StepBench` in interleaved rounds; the others follow its orders."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import torch

from engine.bench.benchmark import MachineInfo, machine_info
from engine.bench.interleaved import (
    Clock,
    Rates,
    TimeUpError,
    Variant,
    fastest,
    median_rate,
    median_ratio,
    run_interleaved,
    spread,
    warm_up,
)
from engine.bench.ranks.steps import PARTS, StepBench
from engine.bench.ranks.sums import agreed, gathered
from engine.bench.train_figures import Shape
from engine.bench.training import (
    MAX_STEPS_PER_TRIAL,
    MIN_ROUNDS,
    TRIAL_SECONDS,
    compared_thread_counts,
    named,
    shapes_for,
)
from engine.compute.device import Runtime
from engine.config.corpus import CorpusConfig
from engine.corpus.training_data import DEFAULT_MIN_CHAR_COUNT, TrainingData, load_training_data
from engine.parallel.ranks import Ranks

TOGETHER, CLOCKED, ALONE = "together", "clocked", "one process"
_GPU_WARM_UP_ROUNDS, _WARM_UP_SHARE = 8, 0.3
"""On a GPU: enough rounds to record the usual shapes as CUDA graphs, at most this share of the time."""


class _Order(IntEnum):
    """What the leader orders the others to do."""

    STOP = 0
    SHAPE = 1
    TOGETHER = 2
    CLOCKED = 3
    GATHER = 4


@dataclass(frozen=True, kw_only=True)
class StepFigures:
    """Speed of all ranks with one shape, and the parts of a step: the mean over ranks."""

    embedding_size: int
    hidden_size: int
    batch_size: int
    """Of all ranks together."""
    chars_per_second: float
    """Of all ranks together; real targets only."""
    ratio_to_one: float
    """Speedup over one process with the same batches, on a CPU at its best number of threads."""
    efficiency: float
    """The same, divided by the number of ranks."""
    compute_seconds: float
    sum_seconds: float
    wait_seconds: float
    host_seconds: float
    slowest_rank: int
    """The one that waits least."""
    spread: float
    """Interquartile range of the rounds, as a share of the median."""


@dataclass(frozen=True, kw_only=True)
class StepsReport:
    """All results; its fields are those of `bench --nproc-per-node N --json`."""

    train: list[StepFigures]
    machine: MachineInfo


class RanksBenchmark:
    """One benchmark of several ranks. Created and run on each of them at the same time."""

    def __init__(
        self,
        ranks: Ranks,
        runtime: Runtime,
        seconds: float,
        on_progress: Callable[[float, str], None],
        corpus: CorpusConfig | None = None,
        shapes: Sequence[Shape] | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Measure for about `seconds`, by default on the embedded corpus and the usual shapes."""
        self._ranks = ranks
        self._runtime = runtime
        self._seconds = seconds
        self._on_progress = on_progress
        self._corpus = corpus or CorpusConfig(min_char_count=DEFAULT_MIN_CHAR_COUNT)
        self._shapes = shapes or shapes_for(runtime.device)
        self._clock = clock
        self._began = clock()
        self.skipped_shapes: list[str] = []
        """Shapes for which there was no time."""

    def run(self) -> StepsReport | None:
        """Return the leader's report, and None on the other ranks. Raises `TweetgenError`."""
        data = load_training_data(self._corpus, None, lambda _: None)
        num_threads = torch.get_num_threads()
        try:
            if not self._ranks.place.is_leader:
                self._follow(data)
                return None
            return self._lead(data)
        finally:
            torch.set_num_threads(num_threads)

    def _lead(self, data: TrainingData) -> StepsReport:
        """Measure each shape; larger ones get more of the time."""
        figures = []
        for index, shape in enumerate(self._shapes):
            sizes = [each.hidden_size for each in self._shapes[index:]]
            left = max(self._seconds - (self._clock() - self._began), 0.0)
            try:
                figures.append(self._measure(data, index, left * sizes[0] / sum(sizes)))
            except TimeUpError:
                name = f"({shape.embedding_size}, {shape.hidden_size}, {shape.batch_size})"
                self.skipped_shapes.append(name)
        self._order(_Order.STOP)
        self._on_progress(1.0, "")
        machine = machine_info(self._runtime.device)
        machine |= {"world_size": self._ranks.place.world_size, "backend": self._ranks.backend}
        return StepsReport(train=figures, machine=machine)

    def _follow(self, data: TrainingData) -> None:
        """Do what the leader orders."""
        bench: StepBench | None = None
        while True:
            order, first, second = self._order(_Order.STOP)
            if order == _Order.SHAPE:
                bench = self._bench_for(data, first)
            elif order == _Order.STOP or bench is None:
                return
            elif order == _Order.TOGETHER:
                bench.train_together(first, second)
            elif order == _Order.CLOCKED:
                bench.train_clocked(first, second)
            else:
                self._gathered_parts(bench)

    def _order(self, order: _Order, first: int = 0, second: int = 0) -> list[int]:
        """Return the leader's order on all ranks; a follower's arguments count for nothing."""
        return agreed(self._ranks, self._runtime.device, order, first, second)

    def _bench_for(self, data: TrainingData, index: int) -> StepBench:
        return StepBench(self._ranks, self._runtime, self._shapes[index], data, self._clock)

    def _gathered_parts(self, bench: StepBench) -> npt.NDArray[np.float64]:
        """Return the parts of a step on each rank, (n, parts) in seconds."""
        return gathered(self._ranks, self._runtime.device, *bench.clocks.per_step())

    def _measure(self, data: TrainingData, index: int, seconds: float) -> StepFigures:
        """Measure a shape for about `seconds`. On the leader. Raises `TimeUpError` if one round does not fit."""
        shape, began = self._shapes[index], self._clock()
        end = self._began + self._seconds if index else math.inf
        self._order(_Order.SHAPE, index)
        bench = self._bench_for(data, index)
        num_steps = MAX_STEPS_PER_TRIAL

        def together(number: int) -> int:
            self._order(_Order.TOGETHER, number, num_steps)
            return bench.train_together(number, num_steps)

        def clocked(number: int) -> int:
            self._order(_Order.CLOCKED, number, num_steps)
            return bench.train_clocked(number, num_steps)

        def alone(num_threads: int) -> Variant:
            name = named(ALONE, num_threads, self._runtime.device)
            # the other ranks wait for the next order
            return Variant(name, lambda number: bench.train_alone(number, num_steps, num_threads))

        def on_trial(name: str) -> None:
            passed = (self._clock() - self._began) / self._seconds
            self._on_progress(min(passed, 0.99), f"hidden {shape.hidden_size}, batch {shape.batch_size}: {name}")

        variants = [Variant(TOGETHER, together), Variant(CLOCKED, clocked)]
        variants += map(alone, compared_thread_counts(self._runtime.device))
        if self._runtime.device.type == "cuda":
            self._record_graphs(variants, began + _WARM_UP_SHARE * seconds, on_trial)
        num_steps = 1
        warm_up(variants, -2, self._clock, on_trial, end)  # excludes one-time compilation and allocation
        step_seconds = float(np.median(warm_up(variants, -1, self._clock, on_trial, end)))
        trial_seconds = min(TRIAL_SECONDS, seconds / (MIN_ROUNDS + 1) / len(variants))
        num_steps = max(1, min(MAX_STEPS_PER_TRIAL, round(trial_seconds / max(step_seconds, 1e-9))))
        rates = run_interleaved(variants, seconds - (self._clock() - began), self._clock, on_trial, end)
        self._order(_Order.GATHER)
        return figures_of(shape, rates, self._gathered_parts(bench))

    def _record_graphs(self, variants: Sequence[Variant], deadline: float, on_trial: Callable[[str], None]) -> None:
        """Run trials outside the measurement, so that CUDA graphs of the usual shapes are recorded."""
        for number in range(-2 - _GPU_WARM_UP_ROUNDS, -2):
            for variant in variants:
                if self._clock() > deadline:
                    return
                on_trial(f"warming up, {variant.name}")
                variant.run_trial(number)


def figures_of(shape: Shape, rates: Rates, parts: npt.NDArray[np.float64]) -> StepFigures:
    """Compute the figures of a shape from the rates of the trials and the parts of a step on each rank, (n, parts)."""
    num_ranks, ratio = len(parts), median_ratio(rates[TOGETHER], fastest(rates, ALONE))
    compute, sum_, wait, host = (round(float(seconds), 7) for seconds in parts.mean(axis=0))
    return StepFigures(
        embedding_size=shape.embedding_size,
        hidden_size=shape.hidden_size,
        batch_size=shape.batch_size,
        chars_per_second=round(median_rate(rates[TOGETHER]), 1),
        ratio_to_one=round(ratio, 3),
        efficiency=round(ratio / num_ranks, 3),
        compute_seconds=compute,
        sum_seconds=sum_,
        wait_seconds=wait,
        host_seconds=host,
        slowest_rank=int(parts[:, PARTS.index("wait")].argmin()),
        spread=round(spread(rates[TOGETHER]), 3),
    )
