"""The whole bench: reading, training at each shape, writing; each gets its share of the time that was asked for.

Memory is taken where only ours has run yet: the peers would hide it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from engine.bench.machine import MachineFacts, machine_facts, peak_bytes
from engine.bench.reading import ReadFigures, measure_reading
from engine.bench.sampling import SampleFigures, measure_sampling
from engine.bench.training import Field, Shape, TrainFigures, measure_training, shapes_for
from engine.bench.turns import Clock
from engine.config import TrainingConfig
from engine.corpus.position import Position
from engine.corpus_config import CorpusConfig
from engine.material import DEFAULT_MIN_CHAR_COUNT, Material, load_material
from engine.runtime import available_cores
from engine.stage import OnProgress

READING_SHARE, SAMPLING_SHARE = 0.1, 0.15
"""Of the whole time. The rest is for training."""


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """All figures."""

    train: list[TrainFigures]
    sample: list[SampleFigures]
    read: list[ReadFigures]
    machine: MachineFacts


class Benchmark:
    """One run of the bench on one device. Changes torch's number of threads and generators while it runs."""

    def __init__(
        self,
        device: torch.device,
        seconds: float,
        on_progress: OnProgress,
        corpus: CorpusConfig | None = None,
        shapes: Sequence[Shape] | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Measure for about that many seconds, on the embedded corpus and usual shapes if no others are given."""
        self._device = device
        self._seconds = seconds
        self._on_progress = on_progress
        self._corpus = corpus or CorpusConfig(min_char_count=DEFAULT_MIN_CHAR_COUNT)
        self._shapes = shapes or shapes_for(device)
        self._clock = clock
        self._began = clock()

    def run(self) -> BenchReport:
        """Return all figures. Raises `TweetgenError` where the corpus can't be read."""
        self._began = self._clock()
        machine = machine_facts(self._device) | {"peak_bytes_before": peak_bytes()}
        num_threads = torch.get_num_threads()
        try:
            read = measure_reading(self._corpus, READING_SHARE * self._seconds, self._told("reading"), self._clock)
            material = load_material(self._corpus, None, lambda _: None)
            machine["peak_bytes_reading"] = peak_bytes()
            self._train_once(material)
            machine["peak_bytes_training"] = peak_bytes()
            train, sample = self._models(material)
        finally:
            torch.set_num_threads(num_threads)
        machine["seconds"] = round(self._clock() - self._began, 1)
        return BenchReport(train=train, sample=sample, read=read, machine=machine)

    def _train_once(self, material: Material) -> None:
        """Take a turn of ours before any other loop has run, at the first shape."""
        self._told("memory")("ours")
        field = self._field(material, self._shapes[0])
        ours = field.ours("float32", available_cores())
        field.steps_per_turn = 3
        ours.take_turn(0)

    def _field(self, material: Material, shape: Shape) -> Field:
        """Return everyone who trains a model of that shape."""
        batches = material.batches(TrainingConfig(batch_size=shape.batch_size), Position())
        return Field(shape, len(material.vocab), self._device, batches, self._clock)

    def _models(self, material: Material) -> tuple[list[TrainFigures], list[SampleFigures]]:
        """Train at each shape, and write with what came of it; a larger model gets more of the time that is left."""
        train: list[TrainFigures] = []
        sample: list[SampleFigures] = []
        for index, shape in enumerate(self._shapes):
            sizes = [each.hidden_size for each in self._shapes[index:]]
            left = self._seconds - (self._clock() - self._began)
            seconds = max(left, 0.0) * sizes[0] / sum(sizes)
            field = self._field(material, shape)
            what = f"{shape.embedding_size}, {shape.hidden_size}, {shape.batch_size}"
            told = self._told(f"training ({what})")
            train += measure_training(field, (1 - SAMPLING_SHARE) * seconds, told, self._clock)
            tutorial = field.tutorial_model()
            tutorial.load_state_dict(field.model.state_dict())
            models, told = (field.model, tutorial), self._told(f"writing ({what})")
            sample += measure_sampling(shape, models, material.vocab, SAMPLING_SHARE * seconds, told, self._clock)
        return train, sample

    def _told(self, part: str) -> Callable[[str], None]:
        """Return what hears of each turn of a part of the bench."""

        def on_turn(name: str) -> None:
            passed = (self._clock() - self._began) / self._seconds
            self._on_progress(min(passed, 1.0), f"{part}: {name}")

        return on_turn
