"""The whole bench: reading, training at each shape, writing; each gets its share of the time that was asked for.

Reading and the first shape always get one round of everyone. A larger shape whose first round does not end in time is
left out, so that the bench ends when it was to end, by one turn at most.

Memory is taken where only ours has run yet: the peers would hide it.
"""

from __future__ import annotations

import math
import os
import platform
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.bench.reading import ReadFigures, measure_reading
from engine.bench.sampling import SampleFigures, measure_sampling
from engine.bench.training import Field, Shape, TrainFigures, measure_training, shapes_for
from engine.bench.turns import Clock, TimeUpError
from engine.compute.device import available_cores
from engine.config.corpus import CorpusConfig
from engine.config.run import TrainingConfig
from engine.corpus.position import Position
from engine.corpus.training_data import DEFAULT_MIN_CHAR_COUNT, TrainingData, load_training_data
from engine.peak_memory import peak_bytes
from engine.protocol.stage import OnProgress
from engine.storage.versions import versions_of

READING_SHARE, SAMPLING_SHARE = 0.1, 0.15
"""Of the whole time. The rest is for training."""

_MAX_SHARE = 0.99
"""It is not done before it is."""

MachineFacts = dict[str, str | int | float | None]


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
        self.left_out: list[str] = []
        """What there was no time for."""

    def run(self) -> BenchReport:
        """Return all figures. Raises `TweetgenError` where the corpus can't be read."""
        self._began = self._clock()
        machine = machine_facts(self._device) | {"peak_bytes_before": peak_bytes()}
        num_threads = torch.get_num_threads()
        try:
            read = measure_reading(self._corpus, READING_SHARE * self._seconds, self._told("reading"), self._clock)
            training_data = load_training_data(self._corpus, None, lambda _: None)
            machine["peak_bytes_reading"] = peak_bytes()
            self._train_once(training_data)
            machine["peak_bytes_training"] = peak_bytes()
            train, sample = self._models(training_data)
        finally:
            torch.set_num_threads(num_threads)
        self._on_progress(1.0, "")
        machine["seconds"] = round(self._clock() - self._began, 1)
        return BenchReport(train=train, sample=sample, read=read, machine=machine)

    def _train_once(self, training_data: TrainingData) -> None:
        """Take a turn of ours before any other loop has run, at the first shape."""
        self._told("memory")("ours")
        field = self._field(training_data, self._shapes[0])
        ours = field.ours("float32", available_cores())
        field.steps_per_turn = 3
        ours.take_turn(0)

    def _field(self, training_data: TrainingData, shape: Shape) -> Field:
        """Return everyone who trains a model of that shape."""
        batches = training_data.batches(TrainingConfig(batch_size=shape.batch_size), Position())
        return Field(shape, len(training_data.vocab), self._device, batches, self._clock)

    def _models(self, training_data: TrainingData) -> tuple[list[TrainFigures], list[SampleFigures]]:
        """Train at each shape, and write with what came of it; a larger model gets more of the time that is left."""
        train: list[TrainFigures] = []
        sample: list[SampleFigures] = []
        for index, shape in enumerate(self._shapes):
            sizes = [each.hidden_size for each in self._shapes[index:]]
            left = self._seconds - (self._clock() - self._began)
            seconds = max(left, 0.0) * sizes[0] / sum(sizes)
            end = self._began + self._seconds if index else math.inf
            what = f"({shape.embedding_size}, {shape.hidden_size}, {shape.batch_size})"
            try:
                field = self._field(training_data, shape)
                told = self._told(f"training {what}")
                train += measure_training(field, (1 - SAMPLING_SHARE) * seconds, told, self._clock, end)
                tutorial = field.tutorial_model()
                tutorial.load_state_dict(field.model.state_dict())
                models, told = (field.model, tutorial), self._told(f"writing {what}")
                sample += measure_sampling(
                    shape, models, training_data.vocab, SAMPLING_SHARE * seconds, told, self._clock, end
                )
            except TimeUpError:
                self.left_out.append(what)
        return train, sample

    def _told(self, part: str) -> Callable[[str], None]:
        """Return what hears of each turn of a part of the bench."""

        def on_turn(name: str) -> None:
            passed = (self._clock() - self._began) / self._seconds
            self._on_progress(min(passed, _MAX_SHARE), f"{part}: {name}")

        return on_turn


def machine_facts(device: torch.device) -> MachineFacts:
    """Return processor, cores, device, versions, and how busy the machine is with other things as well."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "processor": _processor_name(),
        "cores": available_cores(),
        "load_average": load,
        "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        **versions_of("tweetgen-tui", "torch", "numba"),
    }


def _processor_name() -> str:
    """Return the model name of the processor, if the system has it."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        told = ""
    found = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()
