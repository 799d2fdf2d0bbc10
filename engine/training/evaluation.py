"""How well a model predicts held-out tweets: nats and bits per character, by one rule everywhere.

Every target counts, the end-of-tweet symbol included. **A character that the vocabulary lacks costs its `<UNK>` plus
20 bits**, about what it takes to name a Unicode character, so that a smaller vocabulary can't flatter the figure.

On a processor, `engine.compute.cpu` reads the tweets, in float32 whatever a run's precision: the figure is that of the
weights themselves. Elsewhere the model's own `forward` does, which is the readable twin.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.cpu.forward_pass import ForwardPass
from engine.compute.device import Runtime
from engine.corpus.encoded_tweets import Batch, EncodedTweets
from engine.model.gru import TextGenerator
from engine.model.vocab import PAD

UNKNOWN_CHAR_BITS = 20.0
EVAL_BATCH_SIZE = 64
"""Twice as many are read no faster, and who asks something meanwhile would wait twice as long."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What reading some tweets cost a model."""

    total_nats: float
    num_tweets: int
    num_chars: int
    """Targets: characters and ends of tweets."""
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
def evaluate(model: TextGenerator, tweets: EncodedTweets, runtime: Runtime) -> Evaluation: ...


@overload
def evaluate(
    model: TextGenerator,
    tweets: EncodedTweets,
    runtime: Runtime,
    should_stop: Callable[[], bool],
    batch_size: int = EVAL_BATCH_SIZE,
) -> Evaluation | None: ...


def evaluate(
    model: TextGenerator,
    tweets: EncodedTweets,
    runtime: Runtime,
    should_stop: Callable[[], bool] = lambda: False,
    batch_size: int = EVAL_BATCH_SIZE,
) -> Evaluation | None:
    """Read all `tweets` with dropout off; None where `should_stop` said so between two batches of `batch_size`."""
    sum_of = ForwardPass(model).sum_of_losses if runtime.device.type == "cpu" else _by_forward(model, runtime)
    total_nats = 0.0
    by_length = np.argsort(tweets.lengths, kind="stable")
    for first in range(0, len(tweets), batch_size):
        if should_stop():
            return None
        total_nats += float(sum_of(tweets.batch(by_length[first : first + batch_size])))
    return Evaluation(
        total_nats=total_nats + tweets.num_unknown_chars * UNKNOWN_CHAR_BITS * math.log(2),
        num_tweets=len(tweets),
        num_chars=tweets.num_targets,
        num_unknown_chars=tweets.num_unknown_chars,
    )


def _by_forward(model: TextGenerator, runtime: Runtime) -> Callable[[Batch], Tensor]:
    """Return what reads a batch on any device, as `ForwardPass.sum_of_losses` does on a processor."""

    def sum_of(batch: Batch) -> Tensor:
        inputs, targets = (torch.from_numpy(array).to(runtime.device) for array in (batch.inputs, batch.targets))
        was_training = model.training
        model.eval()
        try:
            with torch.inference_mode(), runtime.autocast():
                logits, _ = model(inputs)  # (B, T, V)
                flat = logits.flatten(0, 1).float()
                return F.cross_entropy(flat, targets.flatten(), ignore_index=PAD, reduction="sum")
        finally:
            model.train(was_training)

    return sum_of
