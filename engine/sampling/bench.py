"""`Benchmark`: speed of training and of sampling, beside the tutorial's loop with the same weights and batches.

The speed of a shared machine changes from second to second. So variants run short trials of the same work in turn, each
round starts with another variant, and variants are compared only within a round. Figures are medians over the rounds.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from engine.compute.device import Runtime, available_cores, may_train_in_bfloat16, wait_for
from engine.compute.gpu_step import supported_precision
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import CorpusBatch
from engine.corpus.batch_cursor import BatchCursor
from engine.corpus.training_data import DEFAULT_MIN_CHAR_COUNT, TrainingData, load_training_data
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.progress import OnProgress
from engine.sampling.sampler import TweetSampler
from engine.sampling.tutorial_loop import LEARNING_RATE, TutorialGenerator, TutorialLoop, sample_sequence
from engine.storage.log import versions_of
from engine.training.trainer import Trainer
from engine.training.tuning import rotated

TUTORIAL, OURS = "tutorial", "ours"
SAMPLING_SHARE = 0.15
"""Share of a shape's time; the rest is for training."""
TRIAL_SECONDS, MIN_ROUNDS, MAX_STEPS_PER_TRIAL = 0.2, 5, 20
"""A trial of training is long enough for caches and threads to settle, and short enough for several rounds."""
FEW, MANY = 4, 256
"""Tweets per trial of sampling: one by one, and at once."""
MAX_TRIAL_SECONDS, MAX_TRIAL_SHARE = 3 * TRIAL_SECONDS, 0.1
"""A longer trial of training ends early; a variant whose trial takes a larger share of the time runs no other.

Threads that wait for busy cores can make a variant 50 times slower.
"""
_GPU_WARM_UP_ROUNDS = 8
"""Enough to record the usual shapes of batches as CUDA graphs."""


class Shape(NamedTuple):
    """Sizes of model and batch."""

    embedding_size: int
    hidden_size: int
    batch_size: int


SHAPES = (Shape(128, 128, 32), Shape(128, 256, 64), Shape(128, 512, 128))
GPU_SHAPES = (Shape(128, 128, 32), Shape(128, 512, 256), Shape(128, 1024, 512))


class Variant(NamedTuple):
    """One of the implementations that are compared."""

    path: str
    batch_size: int
    """Tweets per batch."""
    num_threads: int


Clock = Callable[[], float]
Trial = Callable[[int], int]
"""Does the work of the round of that number; returns its amount, in characters."""
Trials = dict[Variant, Trial]
Rates = dict[Variant, list[float]]
"""Characters per second in each round."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Speed of one variant."""

    embedding_size: int
    hidden_size: int
    batch_size: int
    path: str
    num_threads: int
    """On a GPU, those of the host."""
    chars_per_second: float
    """Trained: real targets only. Sampled: characters drawn, `<EOS>` included."""
    ratio_to_tutorial: float
    """Speedup over the tutorial's loop at its best number of threads."""
    spread: float
    """Interquartile range of the rounds, as a share of the median."""
    num_graphs: int | None = None
    """CUDA graphs that replace steps; None where none are made."""


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """All results; its fields are those of `bench --json`."""

    machine: dict[str, str | int | float | None]
    train: list[Figures]
    sample: list[Figures]


class Benchmark:
    """One benchmark of one device. Changes torch's number of threads and generators while it runs."""

    def __init__(
        self,
        device: torch.device,
        seconds: float,
        on_progress: OnProgress,
        corpus: CorpusConfig | None = None,
        shapes: Sequence[Shape] | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Measure for about `seconds`, by default on the embedded corpus and the usual shapes."""
        self._device = device
        self._seconds = seconds
        self._on_progress = on_progress
        self._corpus = corpus or CorpusConfig(min_char_count=DEFAULT_MIN_CHAR_COUNT)
        self._shapes = shapes or (SHAPES if device.type == "cpu" else GPU_SHAPES)
        self._clock = clock
        self._began = clock()
        self.skipped_shapes: list[Shape] = []
        """Shapes for which no time was left."""

    def run(self) -> BenchReport:
        """Measure each shape; larger ones get more of the time. Raises `TweetgenError` if the corpus can't be read.

        The first shape completes a round in any case, another one if some time is left when its turn comes.
        """
        report = BenchReport(machine=machine_info(self._device), train=[], sample=[])
        num_threads = torch.get_num_threads()
        try:
            data = load_training_data(self._corpus, None, lambda _: None)
            for number, shape in enumerate(self._shapes):
                left = self._began + self._seconds - self._clock()
                if number and left <= 0:
                    self.skipped_shapes.append(shape)
                    continue
                seconds = max(left, 0.0) * shape.hidden_size / sum(each.hidden_size for each in self._shapes[number:])
                training = TrainingTrials(shape, data, self._device, self._clock)
                report.train.extend(self._train(training, (1 - SAMPLING_SHARE) * seconds))
                trials = sampling_trials(training.model, training.tutorial_model(training.model), data.vocab)
                report.sample.extend(self._sample(trials, shape, SAMPLING_SHARE * seconds))
        finally:
            torch.set_num_threads(num_threads)
        self._on_progress(1.0, "")
        report.machine["seconds"] = round(self._clock() - self._began, 1)
        return report

    def _train(self, training: TrainingTrials, seconds: float) -> list[Figures]:
        """Measure all variants that train a model of one shape."""
        deadline = self._clock() + seconds
        trials, on_trial = training.trials(), partial(self._report_trial, "training", training.shape)
        if self._device.type != "cpu":
            training.steps_per_trial = MAX_STEPS_PER_TRIAL
            for number in range(-1 - _GPU_WARM_UP_ROUNDS, -1):
                run_round(trials, number, self._clock, on_trial)
        training.steps_per_trial = 1
        warm_up = run_round(trials, -1, self._clock, on_trial)  # compiles and allocates
        step_seconds = float(np.median([seconds for _, seconds in warm_up.values()]))
        trial_seconds = min(TRIAL_SECONDS, seconds / (MIN_ROUNDS + 1) / len(trials))
        training.steps_per_trial = max(1, min(MAX_STEPS_PER_TRIAL, round(trial_seconds / step_seconds)))
        rates = run_rounds(trials, deadline, self._clock, on_trial)
        num_graphs = {variant: trainer.num_graphs for variant, trainer in training.trainers.items()}
        return figures_of(training.shape, rates, num_graphs)

    def _sample(self, trials: Trials, shape: Shape, seconds: float) -> list[Figures]:
        """Measure all variants that sample."""
        deadline = self._clock() + seconds
        on_trial = partial(self._report_trial, "sampling", shape)
        run_round(trials, 0, self._clock, on_trial)  # compiles and allocates
        return figures_of(shape, run_rounds(trials, deadline, self._clock, on_trial))

    def _report_trial(self, part: str, shape: Shape, variant: Variant) -> None:
        """Report a trial that starts as progress."""
        passed = (self._clock() - self._began) / self._seconds
        self._on_progress(min(passed, 0.99), f"{part} {tuple(shape)}: {variant.path}")


class TrainingTrials:
    """All variants that train a model of one shape, from the same weights on the same batches."""

    def __init__(self, shape: Shape, data: TrainingData, device: torch.device, clock: Clock) -> None:
        """Take batches from the training tweets of `data`, round by round."""
        self.shape = shape
        self.steps_per_trial = 1
        self.trainers: dict[Variant, Trainer] = {}
        """Of the program's own variants."""
        self._device = device
        self._clock = clock
        self._vocab_size = len(data.vocab)
        self._config = ModelConfig(embedding_size=shape.embedding_size, hidden_size=shape.hidden_size)
        self._training = TrainingConfig(learning_rate=LEARNING_RATE, batch_size=shape.batch_size)
        self._batches = data.batches(self._training, BatchCursor())
        self._round: int | None = None
        self._round_batches: list[CorpusBatch] = []
        torch.manual_seed(0)
        self.model = TextGenerator.from_config(self._vocab_size, self._config).to(device)
        """The program's model, trained by its trials in float32 on all cores."""
        self._first_weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def trials(self) -> Trials:
        """Return the trials of all variants, on a CPU each at one thread and on all cores."""
        size, trials = self.shape.batch_size, {}
        for threads in compared_thread_counts(self._device):
            trials[Variant(TUTORIAL, size, threads)] = self._trial(TutorialLoop(self.tutorial_model()).step)
            ours = Variant(OURS, size, threads)
            trials[ours] = self._ours(ours, "float32")
            if may_train_in_bfloat16(self._device) and supported_precision(self.model, size, "bfloat16") == "bfloat16":
                rounded = Variant(f"{OURS}, bfloat16", size, threads)
                trials[rounded] = self._ours(rounded, "bfloat16")
        return trials

    def tutorial_model(self, model: TextGenerator | None = None) -> TutorialGenerator:
        """Return a tutorial model with the weights of `model`, by default the initial ones of all variants."""
        tutorial = TutorialGenerator(self._vocab_size, self.shape.embedding_size, self.shape.hidden_size)
        tutorial.load_state_dict(self._first_weights if model is None else model.state_dict())
        return tutorial.to(self._device)

    def _ours(self, variant: Variant, precision: str) -> Trial:
        """Return the trial of the program's own `Trainer`."""
        is_main = precision == "float32" and variant.num_threads == available_cores()
        model = self.model if is_main else TextGenerator.from_config(self._vocab_size, self._config)
        model.load_state_dict(self._first_weights)
        runtime = Runtime(device=self._device, precision=precision, num_threads=variant.num_threads)
        trainer = self.trainers[variant] = Trainer(model.to(self._device), self._training, runtime)
        return self._trial(lambda batch: trainer.step(batch, LEARNING_RATE), trainer.drain_report)

    def _trial(self, step: Callable[[CorpusBatch], object], report: Callable[[], object] = lambda: None) -> Trial:
        """Return a trial that runs `step` on each batch of a round, then `report`, and waits for the device."""

        def run(number: int) -> int:
            began, num_chars = self._clock(), 0
            for batch in self._batches_of(number):
                step(batch)
                num_chars += batch.num_targets
                if self._clock() - began > MAX_TRIAL_SECONDS:
                    break
            report()
            wait_for(self._device)
            return num_chars

        return run

    def _batches_of(self, number: int) -> list[CorpusBatch]:
        """Return the batches of a round, the same for all variants."""
        if number != self._round:
            self._round = number
            self._round_batches = list(islice(self._batches, self.steps_per_trial))
            for batch in self._round_batches:
                _ = batch.inputs  # padded now, and not in the time of the first variant
        return self._round_batches


def sampling_trials(ours: TextGenerator, tutorial: TutorialGenerator, vocab: Vocab) -> Trials:
    """Return the trials of all variants that sample: by the tutorial, one tweet and many at once."""
    ours.eval()
    tutorial.eval()
    config = SamplingConfig()

    def by_tutorial(_: int) -> int:
        return sum(sample_sequence(tutorial, vocab, config.max_length, config.temperature)[1] for _ in range(FEW))

    def sampled(seeds: range) -> int:
        return sum(len(tweet.text) + tweet.reached_eos for tweet in TweetSampler(ours, vocab, config, seeds).results())

    def one_by_one(number: int) -> int:
        return sum(sampled(range(seed, seed + 1)) for seed in range(number * FEW, (number + 1) * FEW))

    def at_once(number: int) -> int:
        return sampled(range(number * MANY, (number + 1) * MANY))

    trials: Trials = {}
    for threads in compared_thread_counts(ours.device):
        trials[Variant(TUTORIAL, 1, threads)] = by_tutorial
        trials[Variant(OURS, 1, threads)] = one_by_one
        trials[Variant(OURS, MANY, threads)] = at_once
    return trials


def compared_thread_counts(device: torch.device) -> list[int]:
    """Return 1 and the number of cores on a CPU, only the latter on other devices."""
    return sorted({1, available_cores()}) if device.type == "cpu" else [available_cores()]


def run_round(
    trials: Trials, number: int, clock: Clock, on_trial: Callable[[Variant], None]
) -> dict[Variant, tuple[int, float]]:
    """Run one trial of each variant; return its amount of work and its seconds. `on_trial` is called before each."""
    timed = {}
    for variant in rotated(list(trials), number):
        on_trial(variant)
        torch.set_num_threads(variant.num_threads)
        began = clock()
        amount = trials[variant](number)
        timed[variant] = amount, max(clock() - began, 1e-9)
    return timed


def run_rounds(trials: Trials, deadline: float, clock: Clock, on_trial: Callable[[Variant], None]) -> Rates:
    """Run as many rounds as fit before the deadline, at least one; return the speed of each variant in each of them.

    A variant whose trial takes over `MAX_TRIAL_SHARE` of the time runs only one.
    """
    max_seconds = MAX_TRIAL_SHARE * (deadline - clock())
    rates: Rates = {variant: [] for variant in trials}
    remaining, number, round_seconds = dict(trials), 0, 0.0
    while number == 0 or (remaining and clock() + round_seconds <= deadline):
        timed = run_round(remaining, number, clock, on_trial)
        for variant, (amount, seconds) in timed.items():
            rates[variant].append(amount / seconds)
        remaining = {variant: trial for variant, trial in remaining.items() if timed[variant][1] <= max_seconds}
        round_seconds = sum(timed[variant][1] for variant in remaining)
        number += 1
    return rates


def figures_of(shape: Shape, rates: Rates, num_graphs: Mapping[Variant, int | None] | None = None) -> list[Figures]:
    """Return the figures of each variant; `num_graphs` of those that can have CUDA graphs."""
    tutorial = max((own for variant, own in rates.items() if variant.path == TUTORIAL), key=np.median)
    return [
        Figures(
            embedding_size=shape.embedding_size,
            hidden_size=shape.hidden_size,
            batch_size=variant.batch_size,
            path=variant.path,
            num_threads=variant.num_threads,
            chars_per_second=round(float(np.median(own)), 1),
            ratio_to_tutorial=round(float(np.median([a / b for a, b in zip(own, tutorial, strict=False)])), 3),
            spread=round(float(np.subtract(*np.percentile(own, [75, 25])) / np.median(own)), 3),
            num_graphs=(num_graphs or {}).get(variant),
        )
        for variant, own in rates.items()
    ]


def machine_info(device: torch.device) -> dict[str, str | int | float | None]:
    """Return processor (its model name, or the architecture), cores, load average, device and versions."""
    try:
        cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        cpu_info = ""
    processor = re.search(r"^model name\s*:\s*(.+)$", cpu_info, re.MULTILINE)
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "processor": processor[1].strip() if processor else platform.processor() or platform.machine(),
        "cores": available_cores(),
        "load_average": load,
        "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        **versions_of("tweetgen-tui", "torch", "numba"),
    }
