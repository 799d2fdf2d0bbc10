"""Gradient accumulation: a batch in micro-batches, where memory does not suffice for all of it at once.

Loss and gradient of a part are those of its sum of losses, divided by the targets of the whole step. So those of all
parts add up, and the accumulated step is, to rounding, the step of the whole batch: one clipping, one update, one loss.
With dropout, other numbers are drawn, as many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

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
def accumulate(parts: Sequence[Batch], compute: Callable[[Batch], None], buffer: Tensor) -> None:
    """Set `buffer` to the sum of what `compute` writes to it for each part."""
    total = torch.zeros_like(buffer)
    for part in parts:
        compute(part)
        total.add_(buffer)
    buffer.copy_(total)
