"""`Benchmark`: speed of training and of sampling, beside the tutorial's loop with the same weights and batches.

The speed of a shared machine changes from second to second. So variants run short trials of the same work in turn, each
round starts with another variant, and variants are compared only within a round. Figures are medians over the rounds.

The reference is CSC321 Tutorial 11 as a reader would complete it: the model, which the lesson shows, parts (e) and (f),
and `sample_sequence`. It is deliberately not optimized; only padding is masked, so that both do the same work and have
the same loss.
"""

from __future__ import annotations

import contextlib
import copy
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from assets.lesson.stop_2 import TextGenerator as TutorialGenerator
from engine.compute.device import Runtime, available_cores, may_train_in_bfloat16, wait_for
from engine.compute.gpu_step import supported_precision
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import Batch, CorpusBatch
from engine.corpus.training_data import DEFAULT_MIN_CHAR_COUNT, TrainingData, load_training_data
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, PAD, Vocab
from engine.protocol.progress import BatchCursor, OnProgress
from engine.sampling.sampler import TweetSampler
from engine.storage.log import versions_of
from engine.training.trainer import Trainer
from engine.training.tuning import rotated

# The tutorial ---------------------------------------------------------------------------------------------------------

LEARNING_RATE = 0.004


class TutorialLoop:
    """The loop body of the tutorial's `train`, which reads the loss in every step."""

    def __init__(self, model: TutorialGenerator) -> None:
        """Use the model on its device."""
        self._model = model
        self._device = model.proj.weight.device
        self._optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        self._criterion = nn.CrossEntropyLoss(ignore_index=PAD)

    def step(self, batch: Batch) -> float:
        """Train on one batch; return its loss in nats per character."""
        inp = torch.from_numpy(batch.inputs).to(self._device)  # (B, T)
        target = torch.from_numpy(batch.targets).to(self._device)  # (B, T)
        self._optimizer.zero_grad()
        output, _ = self._model(inp)  # (B, T, V)
        loss: Tensor = self._criterion(output.reshape(-1, output.shape[-1]), target.reshape(-1))
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.item()


@torch.no_grad()
def sample_sequence(model: TutorialGenerator, vocab: Vocab, max_len: int, temperature: float) -> tuple[str, int]:
    """Return a tweet and the number of characters drawn, `<EOS>` included."""
    device = model.proj.weight.device
    sequence, num_drawn = "", 0
    inp = torch.tensor([BOS], device=device)
    hidden = None
    for _ in range(max_len):
        output, hidden = model(inp.unsqueeze(0), hidden)  # (1, 1, V), (1, 1, H)
        weights = output.view(-1).div(temperature).exp()  # (V,)
        top_i = int(torch.multinomial(weights, 1)[0])
        num_drawn += 1
        if top_i == EOS:
            break
        sequence += vocab.itos[top_i]
        inp = torch.tensor([top_i], device=device)
    return sequence, num_drawn


# The benchmark --------------------------------------------------------------------------------------------------------

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


Work = TypeVar("Work")
"""The work of a round, for all variants: batches to train on, or the number from which seeds of tweets follow."""
Trials = Mapping[Variant, Callable[[Work], int]]
"""Functions that do the work of a round and return its amount, in characters."""
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
        clock: Callable[[], float] = time.perf_counter,
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
                figures, model = self._train(shape, data, (1 - SAMPLING_SHARE) * seconds)
                report.train.extend(figures)
                report.sample.extend(self._sample(shape, model, data.vocab, SAMPLING_SHARE * seconds))
        finally:
            torch.set_num_threads(num_threads)
        self._on_progress(1.0, "")
        report.machine["seconds"] = round(self._clock() - self._began, 1)
        return report

    def _train(self, shape: Shape, data: TrainingData, seconds: float) -> tuple[list[Figures], TextGenerator]:
        """Measure all variants that train, from the same weights on the same batches; return a trained model, too."""
        deadline, doing = self._clock() + seconds, f"training {tuple(shape)}"
        training = TrainingConfig(learning_rate=LEARNING_RATE, batch_size=shape.batch_size)
        batches = data.batches(training, BatchCursor())
        torch.manual_seed(0)
        config = ModelConfig(embedding_size=shape.embedding_size, hidden_size=shape.hidden_size)
        model = TextGenerator.from_config(len(data.vocab), config).to(self._device)
        precisions = {OURS: "float32"}
        rounded = "bfloat16" if may_train_in_bfloat16(self._device) else "float32"
        if supported_precision(model, shape.batch_size, rounded) == "bfloat16":
            precisions[f"{OURS}, bfloat16"] = "bfloat16"
        trials: dict[Variant, Callable[[Sequence[CorpusBatch]], int]] = {}
        trainers: dict[Variant, Trainer] = {}
        for threads in self._thread_counts():
            loop = TutorialLoop(tutorial_model(model))
            trials[Variant(TUTORIAL, shape.batch_size, threads)] = partial(self._train_on, loop)
            for path, precision in precisions.items():
                variant = Variant(path, shape.batch_size, threads)
                runtime = Runtime(device=self._device, precision=precision, num_threads=threads)
                trainers[variant] = Trainer(copy.deepcopy(model), training, runtime)
                trials[variant] = partial(self._train_on, trainers[variant])

        def next_batches(count: int) -> list[CorpusBatch]:
            taken = list(islice(batches, count))
            for batch in taken:
                _ = batch.inputs  # padded now, and not in the time of the first variant
            return taken

        if self._device.type != "cpu":
            for number in range(_GPU_WARM_UP_ROUNDS):
                self.run_round(trials, number, next_batches(MAX_STEPS_PER_TRIAL), doing)
        warm_up = self.run_round(trials, 0, next_batches(1), doing)  # compiles and allocates
        step_seconds = float(np.median([seconds for _, seconds in warm_up.values()]))
        trial_seconds = min(TRIAL_SECONDS, seconds / (MIN_ROUNDS + 1) / len(trials))
        num_steps = max(1, min(MAX_STEPS_PER_TRIAL, round(trial_seconds / step_seconds)))
        rates = self.run_rounds(trials, lambda _: next_batches(num_steps), deadline, doing)
        num_graphs = {variant: trainer.num_graphs for variant, trainer in trainers.items()}
        trained = trainers[Variant(OURS, shape.batch_size, available_cores())].model
        return figures_of(shape, rates, num_graphs), trained

    def _train_on(self, loop: TutorialLoop | Trainer, batches: Sequence[CorpusBatch]) -> int:
        """Train on batches, on fewer if that takes long, and wait for the device; return the number of targets."""
        began, num_chars = self._clock(), 0
        for batch in batches:
            if isinstance(loop, Trainer):
                loop.step(batch, LEARNING_RATE)
            else:
                loop.step(batch)
            num_chars += batch.num_targets
            if self._clock() - began > MAX_TRIAL_SECONDS:
                break
        if isinstance(loop, Trainer):
            loop.drain_report()
        wait_for(self._device)
        return num_chars

    def _sample(self, shape: Shape, model: TextGenerator, vocab: Vocab, seconds: float) -> list[Figures]:
        """Measure all variants that sample: by the tutorial, one tweet and many at once."""
        deadline, doing = self._clock() + seconds, f"sampling {tuple(shape)}"
        ours, tutorial, config = model.eval(), tutorial_model(model).eval(), SamplingConfig()

        def by_tutorial(_: int) -> int:
            return sum(sample_sequence(tutorial, vocab, config.max_length, config.temperature)[1] for _ in range(FEW))

        def sampled(seeds: range) -> int:
            tweets = TweetSampler(ours, vocab, config, seeds).results()
            return sum(len(tweet.text) + tweet.reached_eos for tweet in tweets)

        def one_by_one(number: int) -> int:
            return sum(sampled(range(seed, seed + 1)) for seed in range(number * FEW, (number + 1) * FEW))

        def at_once(number: int) -> int:
            return sampled(range(number * MANY, (number + 1) * MANY))

        trials: dict[Variant, Callable[[int], int]] = {}
        for threads in self._thread_counts():
            trials[Variant(TUTORIAL, 1, threads)] = by_tutorial
            trials[Variant(OURS, 1, threads)] = one_by_one
            trials[Variant(OURS, MANY, threads)] = at_once
        self.run_round(trials, 0, 0, doing)  # compiles and allocates
        return figures_of(shape, self.run_rounds(trials, lambda number: number, deadline, doing))

    def _thread_counts(self) -> list[int]:
        """Return 1 and the number of cores on a CPU, only the latter on other devices."""
        return sorted({1, available_cores()}) if self._device.type == "cpu" else [available_cores()]

    def run_round(self, trials: Trials[Work], number: int, work: Work, doing: str) -> dict[Variant, tuple[int, float]]:
        """Run one trial of each variant, from another one on in each round; return amounts of work and seconds."""
        timed = {}
        for variant in rotated(list(trials), number):
            passed = (self._clock() - self._began) / self._seconds
            self._on_progress(min(passed, 0.99), f"{doing}: {variant.path}")
            torch.set_num_threads(variant.num_threads)
            began = self._clock()
            amount = trials[variant](work)
            timed[variant] = amount, max(self._clock() - began, 1e-9)
        return timed

    def run_rounds(self, trials: Trials[Work], work_of: Callable[[int], Work], deadline: float, doing: str) -> Rates:
        """Run as many rounds as fit before the deadline, at least one; return the speed of each variant in each.

        `work_of` prepares the work of a round. A variant whose trial takes over `MAX_TRIAL_SHARE` of the time runs
        only one.
        """
        max_seconds = MAX_TRIAL_SHARE * (deadline - self._clock())
        rates: Rates = {variant: [] for variant in trials}
        remaining, number, round_seconds = dict(trials), 0, 0.0
        while number == 0 or (remaining and self._clock() + round_seconds <= deadline):
            timed = self.run_round(remaining, number, work_of(number), doing)
            for variant, (amount, seconds) in timed.items():
                rates[variant].append(amount / seconds)
            remaining = {variant: trial for variant, trial in remaining.items() if timed[variant][1] <= max_seconds}
            round_seconds = sum(timed[variant][1] for variant in remaining)
            number += 1
        return rates


def tutorial_model(model: TextGenerator) -> TutorialGenerator:
    """Return a tutorial model with the weights of `model`, on its device."""
    vocab_size, embedding_size = model.embed.weight.shape
    tutorial = TutorialGenerator(vocab_size, embedding_size, model.rnn.hidden_size)
    tutorial.load_state_dict(model.state_dict())
    return tutorial.to(model.device)


def figures_of(shape: Shape, rates: Rates, num_graphs: Mapping[Variant, int | None] = {}) -> list[Figures]:
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
            num_graphs=num_graphs.get(variant),
        )
        for variant, own in rates.items()
    ]


def machine_info(device: torch.device) -> dict[str, str | int | float | None]:
    """Return processor (its model name, or the architecture), cores, load average, device and versions."""
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "processor": _model_name() or platform.processor() or platform.machine(),
        "cores": available_cores(),
        "load_average": round(os.getloadavg()[0], 2),
        "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        **versions_of("tweetgen-tui", "torch", "numba"),
    }


def _model_name() -> str:
    """Return the processor's name as the system reports it; empty where it does not."""
    with contextlib.suppress(OSError):
        if sys.platform == "darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - the system's
        cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        return next(iter(re.findall(r"^model name\s*:\s*(.+?)\s*$", cpu_info, re.MULTILINE)), "")
    return ""
