"""`Benchmark`: reading, training at each shape and sampling, each with its share of the requested time.

Reading and the first shape always complete one round. A larger shape is skipped if its first round does not fit, so the
benchmark ends in time, give or take one trial.

Peak memory is read before the other implementations run, as they would hide this program's own.
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

from engine.bench.interleaved import Clock, TimeUpError
from engine.bench.peak_memory import peak_bytes
from engine.bench.reading import ReadFigures, measure_reading
from engine.bench.sampling import SampleFigures, measure_sampling
from engine.bench.train_figures import Shape, TrainFigures
from engine.bench.training import TrainingBench, measure_training, shapes_for
from engine.compute.device import available_cores
from engine.config.corpus import CorpusConfig
from engine.config.run import TrainingConfig
from engine.corpus.position import Position
from engine.corpus.training_data import DEFAULT_MIN_CHAR_COUNT, TrainingData, load_training_data
from engine.protocol.stage import OnProgress
from engine.storage.versions import versions_of

READING_SHARE, SAMPLING_SHARE = 0.1, 0.15
"""Shares of the whole time; the rest is for training."""

_MAX_SHARE = 0.99
"""Upper limit of the progress until the end."""

MachineInfo = dict[str, str | int | float | None]


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """All results; its fields are those of `bench --json`."""

    train: list[TrainFigures]
    sample: list[SampleFigures]
    read: list[ReadFigures]
    machine: MachineInfo


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
        self._shapes = shapes or shapes_for(device)
        self._clock = clock
        self._began = clock()
        self.skipped_shapes: list[str] = []
        """Shapes for which there was no time."""

    def run(self) -> BenchReport:
        """Run all parts. Raises `TweetgenError` if the corpus can't be read."""
        self._began = self._clock()
        machine = machine_info(self._device) | {"peak_bytes_before": peak_bytes()}
        num_threads = torch.get_num_threads()
        try:
            read = measure_reading(
                self._corpus, READING_SHARE * self._seconds, self._trial_progress("reading"), self._clock
            )
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
        """Run a few steps of this program's training at the first shape, before any other implementation."""
        self._trial_progress("memory")("ours")
        bench = self._bench_for(training_data, self._shapes[0])
        ours = bench.ours("float32", available_cores())
        bench.steps_per_trial = 3
        ours.run_trial(0)

    def _bench_for(self, training_data: TrainingData, shape: Shape) -> TrainingBench:
        """Return the training variants for a shape."""
        batches = training_data.batches(TrainingConfig(batch_size=shape.batch_size), Position())
        return TrainingBench(shape, len(training_data.vocab), self._device, batches, self._clock)

    def _models(self, training_data: TrainingData) -> tuple[list[TrainFigures], list[SampleFigures]]:
        """Train at each shape, and sample from the result; larger models get more of the remaining time."""
        train: list[TrainFigures] = []
        sample: list[SampleFigures] = []
        for index, shape in enumerate(self._shapes):
            sizes = [each.hidden_size for each in self._shapes[index:]]
            left = self._seconds - (self._clock() - self._began)
            seconds = max(left, 0.0) * sizes[0] / sum(sizes)
            end = self._began + self._seconds if index else math.inf
            shape_name = f"({shape.embedding_size}, {shape.hidden_size}, {shape.batch_size})"
            try:
                bench = self._bench_for(training_data, shape)
                on_trial = self._trial_progress(f"training {shape_name}")
                train += measure_training(bench, (1 - SAMPLING_SHARE) * seconds, on_trial, self._clock, end)
                tutorial = bench.tutorial_model()
                tutorial.load_state_dict(bench.model.state_dict())
                models, on_trial = (bench.model, tutorial), self._trial_progress(f"sampling {shape_name}")
                sample += measure_sampling(
                    shape, models, training_data.vocab, SAMPLING_SHARE * seconds, on_trial, self._clock, end
                )
            except TimeUpError:
                self.skipped_shapes.append(shape_name)
        return train, sample

    def _trial_progress(self, part: str) -> Callable[[str], None]:
        """Return a callback that reports each trial of a part as progress."""

        def on_trial(name: str) -> None:
            passed = (self._clock() - self._began) / self._seconds
            self._on_progress(min(passed, _MAX_SHARE), f"{part}: {name}")

        return on_trial


def machine_info(device: torch.device) -> MachineInfo:
    """Return processor, cores, load average, device and versions."""
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
    """Return the model name of the processor, or the architecture."""
    try:
        cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        cpu_info = ""
    found = re.search(r"^model name\s*:\s*(.+)$", cpu_info, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()
