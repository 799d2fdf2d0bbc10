"""Gradient accumulation: a batch in micro-batches, where memory does not suffice for all of it at once.

The mean over all targets is the mean of the micro-batches' means, weighted by their shares of the targets; so is its
gradient. So the accumulated step is, to rounding, the step of the whole batch: one clipping, one update, one loss. With
dropout, other numbers are drawn, as many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD


def split_batch(batch: Batch, micro_batch_size: int) -> list[Batch]:
    """Split a batch into micro-batches of `micro_batch_size` tweets, in order; the last may have fewer."""
    firsts = range(0, len(batch.targets), micro_batch_size)
    pairs = [
        (batch.inputs[first : first + micro_batch_size], batch.targets[first : first + micro_batch_size])
        for first in firsts
    ]
    return [
        Batch(inputs, targets, int(np.count_nonzero(targets != PAD)), batch.total_targets) for inputs, targets in pairs
    ]


@torch.no_grad()
def accumulate_gradients(
    parts: Sequence[Batch], loss_and_grads: Callable[[Batch], Tensor], parameters: Sequence[nn.Parameter]
) -> Tensor:
    """Return the loss, () in nats per character, of all parts as one batch, and set the gradients.

    `loss_and_grads` does the same for one part, and may reuse its memory for the next.
    """
    num_targets = sum(part.num_targets for part in parts)
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    losses: list[Tensor] = []
    for part in parts:
        share = part.num_targets / num_targets
        losses.append(loss_and_grads(part) * share)
        for total, parameter in zip(sums, parameters, strict=True):
            if parameter.grad is not None:
                total.add_(parameter.grad, alpha=share)
    for total, parameter in zip(sums, parameters, strict=True):
        parameter.grad = total
    return torch.stack(losses).sum()
