"""Training in turns: the tutorial's loop, `nn.GRU` at its best, ours, and the bare matrix products."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from engine.bench.matrix_products import MatrixProducts
from engine.bench.peer_loops import PeerLoop, packed_loss, time_major_loss
from engine.bench.turns import Clock, Contender, Rates, alternate, fastest, median_rate, median_ratio, spread, warm_up
from engine.bench.tutorial_loop import LEARNING_RATE, TutorialGenerator, TutorialLoop
from engine.compute.calibration import threads_label
from engine.compute.device import Runtime, available_cores, has_bfloat16, seed_generators
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.encoded_tweets import Batch
from engine.model.gru import TextGenerator
from engine.training.trainer import Trainer

TUTORIAL, TIME_MAJOR, PACKED, OURS, LIMIT = "tutorial", "time-major nn.GRU", "packed nn.GRU", "ours", "matrix products"
WITHOUT_GRAPHS = f"{OURS}, without graphs"
TURN_SECONDS = 0.2
"""Long enough for caches and threads to settle, short enough for many."""
MIN_ROUNDS = 5
"""Turns are made shorter for as many."""
MAX_STEPS_PER_TURN = 20
_PATIENCE = 3
_WARM_UP_ROUNDS, _WARM_UP_SHARE = 8, 0.3
"""On a GPU: until usual shapes are recorded as CUDA graphs, or so much of the time has passed."""


@dataclass(frozen=True)
class Shape:
    """What is trained."""

    embedding_size: int
    hidden_size: int
    batch_size: int


SHAPES = (Shape(128, 128, 32), Shape(128, 256, 64), Shape(128, 512, 128))
GPU_SHAPES = (Shape(128, 128, 32), Shape(128, 512, 256), Shape(128, 1024, 512))


def shapes_for(device: torch.device) -> tuple[Shape, ...]:
    """Return what is measured on a device."""
    return SHAPES if device.type == "cpu" else GPU_SHAPES


@dataclass(frozen=True, kw_only=True)
class TrainFigures:
    """How fast one way to train is."""

    embedding_size: int
    hidden_size: int
    batch_size: int
    path: str
    chars_per_second: float
    """Real targets only."""
    ratio_to_tutorial: float
    """To the tutorial's loop, at the number of threads that suits it best."""
    share_of_limit: float
    """Of the bare matrix products, at the number of threads that suits them best."""
    spread: float
    """Between the quartiles of the rounds, as a share of the median."""


class Field:
    """All ways to train a model of one shape, from the same weights, with a supply of batches."""

    def __init__(
        self,
        shape: Shape,
        vocab_size: int,
        device: torch.device,
        batches: Iterator[Batch],
        clock: Clock = time.perf_counter,
    ) -> None:
        """Take batches from `batches` as rounds go by."""
        self.shape = shape
        self.steps_per_turn = 1
        self.max_turn_seconds = math.inf
        """After so long a turn ends, with fewer steps: threads in each other's way can make one 50 times longer."""
        self._clock = clock
        self._vocab_size = vocab_size
        self._device = device
        self._batches = batches
        self._round: int | None = None
        self._at_hand: list[Batch] = []
        self._config = ModelConfig(embedding_size=shape.embedding_size, hidden_size=shape.hidden_size)
        seed_generators(0)
        self.model = TextGenerator.from_config(vocab_size, self._config).to(device)
        """Ours, trained as turns go by."""
        self._first_weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def batches_of(self, number: int) -> list[Batch]:
        """Return what everyone learns from in the round of that number."""
        if number != self._round:
            self._round = number
            self._at_hand = list(islice(self._batches, self.steps_per_turn))
        return self._at_hand

    def tutorial_model(self) -> TutorialGenerator:
        """Return a model of the tutorial's with the weights that all begin from."""
        model = TutorialGenerator(self._vocab_size, self.shape.embedding_size, self.shape.hidden_size)
        model.load_state_dict(self._first_weights)
        return model.to(self._device)

    def contenders(self) -> list[Contender]:
        """Return everyone, each at every number of `threads`."""
        precisions = ["float32", "bfloat16"] if has_bfloat16(self._device) else ["float32"]
        sizes = self.shape.embedding_size, self.shape.hidden_size
        everyone: list[Contender] = []
        for threads in thread_counts(self._device):
            everyone += [
                self._turns(TUTORIAL, TutorialLoop(self.tutorial_model()).step, threads),
                self._turns(TIME_MAJOR, PeerLoop(self.tutorial_model(), time_major_loss).step, threads),
                self._turns(PACKED, PeerLoop(self.tutorial_model(), packed_loss).step, threads),
                *(self.ours(precision, threads) for precision in precisions),
                *([self.ours("float32", threads, may_record=False)] if self._device.type == "cuda" else []),
                self._turns(LIMIT, MatrixProducts(self._vocab_size, *sizes, self._device).step, threads),
            ]
        return everyone

    @property
    def is_on_gpu(self) -> bool:
        """Whether it is not a processor that does the work."""
        return self._device.type != "cpu"

    def ours(self, precision: str, num_threads: int, *, may_record: bool = True) -> Contender:
        """Return the program's own `Trainer`; at all cores and in float32 it is `model` that learns."""
        is_model = precision == "float32" and num_threads == available_cores() and may_record
        model = self.model if is_model else TextGenerator.from_config(self._vocab_size, self._config)
        model.load_state_dict(self._first_weights)
        runtime = Runtime(device=self._device, precision=precision, num_threads=num_threads)
        config = TrainingConfig(learning_rate=LEARNING_RATE, batch_size=self.shape.batch_size)
        trainer = Trainer(model.to(self._device), config, runtime, may_record=may_record)
        name = OURS if precision == "float32" else f"{OURS}, {precision}"
        name = name if may_record else WITHOUT_GRAPHS
        return self._turns(name, lambda batch: trainer.step(batch, LEARNING_RATE), num_threads, trainer.take_report)

    def _turns(
        self, name: str, step: Callable[[Batch], object], num_threads: int, report: Callable[[], object] | None = None
    ) -> Contender:
        """Return who takes a turn of that many steps; `report` ends a turn, and so does the device."""

        def take_turn(number: int) -> int:
            torch.set_num_threads(num_threads)
            began, num_chars = self._clock(), 0
            for batch in self.batches_of(number):
                step(batch)
                num_chars += batch.num_targets
                if self._clock() - began > self.max_turn_seconds:
                    break
            if report is not None:
                report()
            wait_for(self._device)
            return num_chars

        return Contender(named(name, num_threads, self._device), take_turn)


def thread_counts(device: torch.device) -> list[int]:
    """Return one thread and a thread a core where the processor does the work; else the latter alone."""
    return sorted({1, available_cores()}) if device.type == "cpu" else [available_cores()]


def named(name: str, num_threads: int, device: torch.device) -> str:
    """Return a name with its number of threads, where that makes a difference."""
    return f"{name}, {threads_label(num_threads)}" if device.type == "cpu" else name


def wait_for(device: torch.device) -> None:
    """Wait until a device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def measure_training(
    field: Field, seconds: float, on_turn: Callable[[str], None], clock: Clock, end: float
) -> list[TrainFigures]:
    """Return the figures of everyone after about that many seconds.

    Raises `TimeUpError` where one round of everyone does not end before `end`.
    """
    began = clock()
    contenders = field.contenders()
    if field.is_on_gpu:
        _record_graphs(field, contenders, began + _WARM_UP_SHARE * seconds, on_turn, clock)
    step_seconds = warm_up(contenders, -1, clock, on_turn, end)  # what is compiled or allocated once
    turn_seconds = min(TURN_SECONDS, seconds / (MIN_ROUNDS + 1) / len(contenders))
    steps = round(turn_seconds / max(float(np.median(step_seconds)), 1e-9))
    field.steps_per_turn = max(1, min(MAX_STEPS_PER_TURN, steps))
    field.max_turn_seconds = _PATIENCE * turn_seconds
    return train_figures(field.shape, alternate(contenders, seconds - (clock() - began), clock, on_turn, end))


def _record_graphs(
    field: Field, contenders: list[Contender], deadline: float, on_turn: Callable[[str], None], clock: Clock
) -> None:
    """Let everyone take turns that do not count, until it is so late."""
    field.steps_per_turn, steps = MAX_STEPS_PER_TURN, field.steps_per_turn
    for number in range(-1 - _WARM_UP_ROUNDS, -1):
        for contender in contenders:
            if clock() > deadline:
                break
            on_turn(contender.name)
            contender.take_turn(number)
    field.steps_per_turn = steps


def train_figures(shape: Shape, rates: Rates) -> list[TrainFigures]:
    """Return what the rounds say of everyone."""
    tutorial, limit = fastest(rates, TUTORIAL), fastest(rates, LIMIT)
    return [
        TrainFigures(
            embedding_size=shape.embedding_size,
            hidden_size=shape.hidden_size,
            batch_size=shape.batch_size,
            path=name,
            chars_per_second=round(median_rate(own), 1),
            ratio_to_tutorial=round(median_ratio(own, tutorial), 3),
            share_of_limit=round(median_ratio(own, limit), 3),
            spread=round(spread(own), 3),
        )
        for name, own in rates.items()
    ]
