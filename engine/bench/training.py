"""Speed of training: the tutorial's loop, faster uses of `nn.GRU`, this program, and the bare matrix products."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch

from engine.bench.interleaved import (
    Clock,
    Variant,
    run_interleaved,
    warm_up,
)
from engine.bench.matrix_products import MatrixProducts
from engine.bench.peer_loops import PeerLoop, packed_loss, time_major_loss
from engine.bench.train_figures import (
    LIMIT,
    OURS,
    PACKED,
    TIME_MAJOR,
    TUTORIAL,
    WITHOUT_GRAPHS,
    Shape,
    TrainFigures,
    train_figures,
)
from engine.bench.tutorial_loop import LEARNING_RATE, TutorialGenerator, TutorialLoop
from engine.compute.calibration import threads_label
from engine.compute.device import Runtime, available_cores, may_train_in_bfloat16, seed_generators, wait_for
from engine.compute.gpu.probe import supported_precision
from engine.compute.gpu.recorder import CudaRecorder
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.encoded_tweets import CorpusBatch
from engine.model.gru import TextGenerator
from engine.training.trainer import Trainer

TRIAL_SECONDS = 0.2
"""Long enough for caches and threads to settle, short enough for many rounds."""
MIN_ROUNDS = 5
"""Trials are shortened to run this many rounds."""
MAX_STEPS_PER_TRIAL = 20
_PATIENCE = 3
"""A trial is cut off at this many times its planned length."""
_WARM_UP_ROUNDS, _WARM_UP_SHARE = 8, 0.3
"""Warm-up on a GPU: enough rounds to record the usual shapes as CUDA graphs, at most this share of the time."""


SHAPES = (Shape(128, 128, 32), Shape(128, 256, 64), Shape(128, 512, 128))
GPU_SHAPES = (Shape(128, 128, 32), Shape(128, 512, 256), Shape(128, 1024, 512))


def shapes_for(device: torch.device) -> tuple[Shape, ...]:
    """Return the shapes to measure on a device."""
    return SHAPES if device.type == "cpu" else GPU_SHAPES


class TrainingBench:
    """All variants that train a model of one shape, from the same weights on the same batches."""

    def __init__(
        self,
        shape: Shape,
        vocab_size: int,
        device: torch.device,
        batches: Iterator[CorpusBatch],
        clock: Clock = time.perf_counter,
    ) -> None:
        """Take batches from `batches` round by round."""
        self.shape = shape
        self.steps_per_trial = 1
        self.max_trial_seconds = math.inf
        """A trial ends early after this time: threads that block each other can make it 50 times longer."""
        self._clock = clock
        self._vocab_size = vocab_size
        self._device = device
        self._batches = batches
        self._round: int | None = None
        self._round_batches: list[CorpusBatch] = []
        self._config = ModelConfig(embedding_size=shape.embedding_size, hidden_size=shape.hidden_size)
        seed_generators(0)
        self.model = TextGenerator.from_config(vocab_size, self._config).to(device)
        """The program's model, trained by its trials."""
        self._first_weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def batches_for(self, number: int) -> list[CorpusBatch]:
        """Return the batches of a round, the same for all variants."""
        if number != self._round:
            self._round = number
            self._round_batches = list(islice(self._batches, self.steps_per_trial))
            for batch in self._round_batches:
                _ = batch.inputs  # padded now, and not in the time of the first variant
        return self._round_batches

    def tutorial_model(self) -> TutorialGenerator:
        """Return a tutorial model with the common initial weights."""
        model = TutorialGenerator(self._vocab_size, self.shape.embedding_size, self.shape.hidden_size)
        model.load_state_dict(self._first_weights)
        return model.to(self._device)

    def variants(self) -> list[Variant]:
        """Return all variants, each at each number of threads."""
        candidates = ["float32", "bfloat16"] if may_train_in_bfloat16(self._device) else ["float32"]
        size = self.shape.batch_size
        precisions = [each for each in candidates if supported_precision(self.model, size, each) == each]
        variants: list[Variant] = []
        for threads in compared_thread_counts(self._device):
            variants += [
                self._variant(TUTORIAL, TutorialLoop(self.tutorial_model()).step, threads),
                self._variant(TIME_MAJOR, PeerLoop(self.tutorial_model(), time_major_loss).step, threads),
                self._variant(PACKED, PeerLoop(self.tutorial_model(), packed_loss).step, threads),
                *(self.ours(precision, threads) for precision in precisions),
                *([self.ours("float32", threads, may_record=False)] if self._device.type == "cuda" else []),
                *(self._limit(precision, threads) for precision in (precisions if self.is_on_gpu else ["float32"])),
            ]
        return variants

    def _limit(self, precision: str, num_threads: int) -> Variant:
        """Return the bare matrix products, on a GPU recorded."""
        sizes = self._vocab_size, self.shape.embedding_size, self.shape.hidden_size
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        recorder = CudaRecorder(self._device) if self._device.type == "cuda" else None
        products = MatrixProducts(*sizes, self._device, dtype=dtype, recorder=recorder)
        return self._variant(in_precision(LIMIT, precision), products.step, num_threads)

    @property
    def is_on_gpu(self) -> bool:
        """Whether the device is not a CPU."""
        return self._device.type != "cpu"

    def ours(self, precision: str, num_threads: int, *, may_record: bool = True) -> Variant:
        """Return the program's own `Trainer`; in float32 on all cores it trains `model`."""
        is_model = precision == "float32" and num_threads == available_cores() and may_record
        model = self.model if is_model else TextGenerator.from_config(self._vocab_size, self._config)
        model.load_state_dict(self._first_weights)
        runtime = Runtime(device=self._device, precision=precision, num_threads=num_threads)
        config = TrainingConfig(learning_rate=LEARNING_RATE, batch_size=self.shape.batch_size)
        trainer = Trainer(model.to(self._device), config, runtime, may_record=may_record)
        name = in_precision(OURS, precision) if may_record else WITHOUT_GRAPHS
        return self._variant(name, lambda batch: trainer.step(batch, LEARNING_RATE), num_threads, trainer.drain_report)

    def _variant(
        self,
        name: str,
        step: Callable[[CorpusBatch], object],
        num_threads: int,
        report: Callable[[], object] | None = None,
    ) -> Variant:
        """Return a variant that runs `step` on each batch of a round, then `report`, and waits for the device."""

        def run_trial(number: int) -> int:
            torch.set_num_threads(num_threads)
            began, num_chars = self._clock(), 0
            for batch in self.batches_for(number):
                step(batch)
                num_chars += batch.num_targets
                if self._clock() - began > self.max_trial_seconds:
                    break
            if report is not None:
                report()
            wait_for(self._device)
            return num_chars

        return Variant(named(name, num_threads, self._device), run_trial)


def in_precision(name: str, precision: str) -> str:
    """Append a precision other than float32 to a name."""
    return name if precision == "float32" else f"{name}, {precision}"


def compared_thread_counts(device: torch.device) -> list[int]:
    """Return 1 and the number of cores on a CPU, only the latter on other devices."""
    return sorted({1, available_cores()}) if device.type == "cpu" else [available_cores()]


def named(name: str, num_threads: int, device: torch.device) -> str:
    """Append the number of threads to a name, on a CPU."""
    return f"{name}, {threads_label(num_threads)}" if device.type == "cpu" else name


def measure_training(
    bench: TrainingBench, seconds: float, on_trial: Callable[[str], None], clock: Clock, end: float
) -> list[TrainFigures]:
    """Measure all variants for about `seconds`.

    Raises `TimeUpError` if one round does not fit before `end`.
    """
    began = clock()
    variants = bench.variants()
    if bench.is_on_gpu:
        _record_graphs(bench, variants, began + _WARM_UP_SHARE * seconds, on_trial, clock)
    step_seconds = warm_up(variants, -1, clock, on_trial, end)  # excludes one-time compilation and allocation
    trial_seconds = min(TRIAL_SECONDS, seconds / (MIN_ROUNDS + 1) / len(variants))
    steps = round(trial_seconds / max(float(np.median(step_seconds)), 1e-9))
    bench.steps_per_trial = max(1, min(MAX_STEPS_PER_TRIAL, steps))
    bench.max_trial_seconds = _PATIENCE * trial_seconds
    return train_figures(bench.shape, run_interleaved(variants, seconds - (clock() - began), clock, on_trial, end))


def _record_graphs(
    bench: TrainingBench,
    variants: list[Variant],
    deadline: float,
    on_trial: Callable[[str], None],
    clock: Clock,
) -> None:
    """Run trials outside the measurement until the deadline, so that CUDA graphs of the usual shapes are recorded."""
    bench.steps_per_trial, steps = MAX_STEPS_PER_TRIAL, bench.steps_per_trial
    for number in range(-1 - _WARM_UP_ROUNDS, -1):
        for variant in variants:
            if clock() > deadline:
                break
            on_trial(variant.name)
            variant.run_trial(number)
    bench.steps_per_trial = steps
