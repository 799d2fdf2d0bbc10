"""How well a model predicts held-out tweets, in nats and bits per character.

Every target counts, `<EOS>` included. **A character outside the vocabulary costs its `<UNK>` plus 20 bits**, about what
it takes to name a Unicode character, so that a smaller vocabulary can't flatter the figure.

The figure is that of the weights themselves: whatever the run's precision, the tweets are read in float32, and on a
GPU without TF32. On a CPU they are read by `engine.compute.cpu`, on a GPU by the model's own `forward`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.cpu.step import ForwardPass, one_torch_thread
from engine.compute.device import tensor_float_32
from engine.corpus.arrays import Batch, EncodedTweets
from engine.model.gru import TextGenerator
from engine.model.parameters import InferenceWeights
from engine.model.vocab import PAD, UNKNOWN_CHAR_BITS
from engine.training.trainer import AbandonedError, split_batch

EVAL_BATCH_SIZE = 64
"""Twice as many are read no faster, and a command would wait twice as long."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The cost of some tweets under a model."""

    total_nats: float
    num_tweets: int
    num_chars: int
    """Targets: characters, and one `<EOS>` per tweet."""
    num_unknown_chars: int

    @property
    def nats_per_char(self) -> float:
        """The loss."""
        return self.total_nats / self.num_chars

    @property
    def bits_per_char(self) -> float:
        """The loss in bits."""
        return self.nats_per_char / math.log(2)


def evaluate(
    model: TextGenerator,
    tweets: EncodedTweets,
    should_stop: Callable[[], bool] = lambda: False,
    batch_size: int = EVAL_BATCH_SIZE,
) -> Evaluation:
    """Evaluate on `tweets` with dropout off. Raises `AbandonedError` if `should_stop` returns true between two batches.

    On a CPU each of torch's threads reads batches of its own. The sum does not depend on the number of threads.
    """
    by_length = np.argsort(tweets.lengths, kind="stable")
    batches = [by_length[first : first + batch_size] for first in range(0, len(tweets), batch_size)]
    total_nats = 0.0
    with _readers(model) as (num_readers, losses_of):
        for first in range(0, len(batches), num_readers):
            if should_stop():
                raise AbandonedError
            total_nats = sum(losses_of([tweets.batch(own) for own in batches[first : first + num_readers]]), total_nats)
    return Evaluation(
        total_nats=total_nats + tweets.num_unknown_chars * UNKNOWN_CHAR_BITS * math.log(2),
        num_tweets=len(tweets),
        num_chars=tweets.num_targets,
        num_unknown_chars=tweets.num_unknown_chars,
    )


@contextlib.contextmanager
def _readers(model: TextGenerator) -> Iterator[tuple[int, Callable[[list[Batch]], Iterable[float]]]]:
    """Yield a number of batches, and a function that returns the summed losses of so many, read at the same time.

    Split among threads, each small product of a time step would wait for all of them: on busy cores that takes ten
    times as long as one thread.
    """
    if model.device.type != "cpu":
        yield 1, lambda parts: [float(_sum_by_forward(model, part)) for part in parts]
        return
    with (
        one_torch_thread() as num_threads,
        ThreadPoolExecutor(num_threads, "evaluation", initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        weights = InferenceWeights(model)
        readers = [ForwardPass(weights) for _ in range(num_threads)]
        yield (
            num_threads,
            lambda parts: pool.map(lambda reader, part: float(reader.sum_of_losses(part)), readers, parts),
        )


def batch_loss(model: TextGenerator, batch: Batch, batch_size: int = EVAL_BATCH_SIZE) -> float:
    """Return the loss of a batch with dropout off, nats per character, in float32; draws no random number."""
    on_cpu = model.device.type == "cpu"
    sum_of = ForwardPass(InferenceWeights(model)).sum_of_losses if on_cpu else partial(_sum_by_forward, model)
    return sum(float(sum_of(part)) for part in split_batch(batch, batch_size)) / batch.num_targets


def _sum_by_forward(model: TextGenerator, batch: Batch) -> Tensor:
    """Return the summed loss of a batch in nats, (), on any device; `ForwardPass.sum_of_losses` does so on a CPU."""
    inputs, targets = (torch.from_numpy(array).to(model.device) for array in (batch.inputs, batch.targets))
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), tensor_float_32(model.device, is_allowed=False):
            logits, _ = model(inputs)  # (B, T, V)
            losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="none")
            return losses.sum()  # as a reduction, one warp of a GPU would add them up
    finally:
        model.train(was_training)
