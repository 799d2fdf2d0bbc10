"""A batch in parts of fewer tweets, one after the other, where memory does not do for all of it at once.

The mean over all targets is the mean of the parts' means, each by its share of the targets; so is its gradient. So a
step in parts is, to rounding, the step of the whole batch: one clipping, one update, one loss. With dropout, other
numbers are drawn, as many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD


def split_batch(batch: Batch, micro_batch_size: int) -> list[Batch]:
    """Return the tweets of a batch in their order, `micro_batch_size` of them in a part, fewer in the last."""
    firsts = range(0, len(batch.targets), micro_batch_size)
    pairs = [
        (batch.inputs[first : first + micro_batch_size], batch.targets[first : first + micro_batch_size])
        for first in firsts
    ]
    return [Batch(inputs, targets, int(np.count_nonzero(targets != PAD))) for inputs, targets in pairs]


@torch.no_grad()
def accumulate_gradients(
    parts: Sequence[Batch], loss_and_grads: Callable[[Batch], Tensor], parameters: Sequence[nn.Parameter]
) -> Tensor:
    """Return the loss, () in nats, of all parts as one batch; set each parameter's `grad` to its gradient.

    `loss_and_grads` does so for a part, in memory that it may use again for the next.
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
