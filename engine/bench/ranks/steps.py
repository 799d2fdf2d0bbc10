"""`StepBench`: how the step of a model of one shape divides into its parts, with several ranks. On every rank at once.

The parts, of one step:

* **compute**: from its start until this rank's gradient is complete, and from the end of the sum until the weights
  are updated;
* **wait**: until the slowest rank has its gradient, too: the time of a sum of four bytes before the large one;
* **sum**: of gradient and loss, once all ranks are there;
* **host**: the rest, between steps: cutting and preparing batches, reading losses.

To separate them, the device is waited for between them, and the sum of four bytes is added. So the speed is measured in
trials of their own without either, in turns with those of one process that has the whole batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from engine.bench.interleaved import Clock
from engine.bench.ranks.sums import barrier
from engine.bench.train_figures import Shape
from engine.bench.tutorial_loop import LEARNING_RATE
from engine.compute.device import Runtime, seed_generators, wait_for
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.batches import ALL, Part
from engine.corpus.encoded_tweets import Batch
from engine.corpus.position import Position
from engine.corpus.training_data import TrainingData
from engine.model.gru import TextGenerator
from engine.parallel.ranks import Ranks
from engine.training.trainer import Trainer

PARTS = ("compute", "sum", "wait", "host")


@dataclass
class _Clocks:
    """Seconds of each part of the steps so far."""

    compute: float = 0.0
    sum: float = 0.0
    wait: float = 0.0
    whole: float = 0.0
    num_steps: int = 0

    def per_step(self) -> tuple[float, ...]:
        """Return the seconds of a step, in the order of `PARTS`."""
        host = self.whole - self.compute - self.sum - self.wait
        return tuple(seconds / max(self.num_steps, 1) for seconds in (self.compute, self.sum, self.wait, host))


class StepBench:
    """The trials of a model of one shape. All ranks call `train_together` and `train_clocked` at the same time."""

    def __init__(
        self, ranks: Ranks, runtime: Runtime, shape: Shape, data: TrainingData, clock: Clock = time.perf_counter
    ) -> None:
        """Use the runtime's device and threads on each rank."""
        self._ranks = ranks
        self._runtime = runtime
        self._clock = clock
        self._config = TrainingConfig(learning_rate=LEARNING_RATE, batch_size=shape.batch_size)
        self._model_config = ModelConfig(embedding_size=shape.embedding_size, hidden_size=shape.hidden_size)
        self._vocab_size = len(data.vocab)
        place = ranks.place
        self._own_batches = _Rounds(data, self._config, Part(place.rank, place.world_size))
        self._whole_batches = _Rounds(data, self._config, ALL)
        self._trainer = Trainer(
            self._model(),
            self._config,
            runtime,
            world_size=place.world_size,
            sum_over_ranks=self._sum_over_ranks,
        )
        self._alone: Trainer | None = None
        self._clocks: _Clocks | None = None
        """Those of the trial that is being clocked."""
        self._began_part = 0.0
        self.clocks = _Clocks()
        """Of all clocked trials but warm-ups, whose numbers are negative."""

    def _model(self) -> TextGenerator:
        seed_generators(0)
        return TextGenerator.from_config(self._vocab_size, self._model_config).to(self._runtime.device)

    def train_together(self, number: int, num_steps: int) -> int:
        """Train on the batches of a round; return their characters, those of all ranks."""
        torch.set_num_threads(self._runtime.num_threads)
        return self._train(self._trainer, self._own_batches.of(number, num_steps))

    def train_alone(self, number: int, num_steps: int, num_threads: int) -> int:
        """Train on the whole batches of a round, without the other ranks."""
        torch.set_num_threads(num_threads)
        self._alone = self._alone or Trainer(self._model(), self._config, self._runtime)
        return self._train(self._alone, self._whole_batches.of(number, num_steps))

    def train_clocked(self, number: int, num_steps: int) -> int:
        """Train as `train_together` does, and add the parts of each step to `clocks`."""
        torch.set_num_threads(self._runtime.num_threads)
        self._clocks = self.clocks if number >= 0 else _Clocks()
        began = self._clock()
        num_chars = self._train(self._trainer, self._own_batches.of(number, num_steps))
        self._clocks.whole += self._clock() - began
        self._clocks.num_steps += num_steps
        self._clocks = None
        return num_chars

    def _train(self, trainer: Trainer, batches: list[Batch]) -> int:
        for batch in batches:
            self._began_part = self._clock()
            trainer.step(batch, LEARNING_RATE)
            if self._clocks is not None:
                self._clocks.compute += self._end_part()
        trainer.drain_report()
        wait_for(self._runtime.device)
        return sum(batch.total_targets for batch in batches)

    def _sum_over_ranks(self, tensor: Tensor) -> None:
        """Sum over all ranks, clocked or not."""
        if self._clocks is not None:
            self._clocks.compute += self._end_part()
            barrier(self._ranks, self._runtime.device)
            self._clocks.wait += self._end_part()
        self._ranks.sum_(tensor)
        if self._clocks is not None:
            self._clocks.sum += self._end_part()

    def _end_part(self) -> float:
        """Return the time since the last part, once the device has done its work."""
        wait_for(self._runtime.device)
        began, self._began_part = self._began_part, self._clock()
        return self._began_part - began


class _Rounds:
    """The batches of each round, cut once from the stream, whose order is the same for all ranks."""

    def __init__(self, data: TrainingData, config: TrainingConfig, part: Part) -> None:
        self._stream: Iterator[Batch] = replace(data, part=part).batches(config, Position())
        self._number: int | None = None
        self._batches: list[Batch] = []

    def of(self, number: int, num_steps: int) -> list[Batch]:
        """Return the batches of a round; those of the last one again for the same number."""
        if number != self._number:
            self._number, self._batches = number, list(islice(self._stream, num_steps))
        return self._batches
