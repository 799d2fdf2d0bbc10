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
from typing import overload

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.cpu.forward_pass import ForwardPass
from engine.compute.cpu.inference_weights import InferenceWeights
from engine.compute.cpu.threaded_step import one_torch_thread
from engine.corpus.encoded_tweets import Batch, EncodedTweets
from engine.model.gru import TextGenerator
from engine.model.vocab import PAD, UNKNOWN_CHAR_BITS
from engine.training.micro_batches import split_batch

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


@overload
def evaluate(model: TextGenerator, tweets: EncodedTweets) -> Evaluation: ...


@overload
def evaluate(
    model: TextGenerator,
    tweets: EncodedTweets,
    should_stop: Callable[[], bool],
    batch_size: int = EVAL_BATCH_SIZE,
) -> Evaluation | None: ...


def evaluate(
    model: TextGenerator,
    tweets: EncodedTweets,
    should_stop: Callable[[], bool] = lambda: False,
    batch_size: int = EVAL_BATCH_SIZE,
) -> Evaluation | None:
    """Evaluate on `tweets` with dropout off; None if `should_stop` returned true between two batches.

    On a CPU each of torch's threads reads batches of its own.
    """
    total_nats, batches = 0.0, eval_batches(tweets, batch_size)
    with _readers(model) as (num_readers, losses_of):
        for first in range(0, len(batches), num_readers):
            if should_stop():
                return None
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
    times as long as one thread. The figures do not depend on the number of threads.
    """
    if model.device.type != "cpu":
        sum_of = _by_forward(model)
        yield 1, lambda parts: [float(sum_of(part)) for part in parts]
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


def eval_batches(tweets: EncodedTweets, batch_size: int = EVAL_BATCH_SIZE) -> list[npt.NDArray[np.int64]]:
    """Return the indices of the tweets of each batch, sorted by length, (batch,) each."""
    by_length = np.argsort(tweets.lengths, kind="stable")
    return [by_length[first : first + batch_size] for first in range(0, len(tweets), batch_size)]


def batch_loss(model: TextGenerator, batch: Batch, batch_size: int = EVAL_BATCH_SIZE) -> float:
    """Return the loss of a batch with dropout off, nats per character, in float32; draws no random number."""
    sum_of = sum_of_losses(model)
    return sum(float(sum_of(part)) for part in split_batch(batch, batch_size)) / batch.num_targets


def sum_of_losses(model: TextGenerator) -> Callable[[Batch], Tensor]:
    """Return the function that returns the summed loss of a batch in nats, ()."""
    return ForwardPass(InferenceWeights(model)).sum_of_losses if model.device.type == "cpu" else _by_forward(model)


def _by_forward(model: TextGenerator) -> Callable[[Batch], Tensor]:
    """Return a function for any device that does what `ForwardPass.sum_of_losses` does on a CPU."""

    def sum_of(batch: Batch) -> Tensor:
        inputs, targets = (torch.from_numpy(array).to(model.device) for array in (batch.inputs, batch.targets))
        was_training = model.training
        model.eval()
        try:
            with torch.inference_mode(), without_tensor_float_32(model.device):
                logits, _ = model(inputs)  # (B, T, V)
                flat = logits.flatten(0, 1)
                return F.cross_entropy(flat, targets.flatten(), ignore_index=PAD, reduction="none").sum()
        finally:
            model.train(was_training)

    return sum_of


@contextlib.contextmanager
def without_tensor_float_32(device: torch.device) -> Iterator[None]:
    """Compute cuDNN's float32 products without TF32, which torch allows by default; it has 10 bits of mantissa."""
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
