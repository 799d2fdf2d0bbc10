"""`PackedBatch`: the characters of a batch without its padding, as the rows of one matrix for all time steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.corpus.arrays import Batch
from engine.model.vocab import PAD

ROWS = 8
"""With few shapes, the rows of a step are a multiple of this, or B."""
_MIN_PADDED_ROWS = 128
_SIZES_PER_OCTAVE = 4
"""Padding to these sizes increases N by at most 1/4, on average by 1/9."""


@dataclass(frozen=True)
class PackedBatch:
    """A batch without its padding, time-major and longest tweet first, so each step's rows are a prefix.

    Step t has `row_counts[t]` rows, one per tweet that has not ended; the order of the tweets is the same in every
    step. Operations on all steps at once therefore run on N rows, one per real target, and none on padding.

    **Few shapes.** oneDNN, which computes the bfloat16 products, compiles code for every new shape, in milliseconds,
    and caches it, at 0.6 to 1 MB each. N differs in nearly every batch. So `from_batch` can pad to few shapes: each
    step to a multiple of `ROWS`, with rows of tweets that have ended, and the whole to `padded_num_rows`, with a tail
    behind the last step. An added row has the target `PAD` and no part in the loss. It gets no gradient from its own
    output, nor from a later step, so all its gradients are zero and sums over N rows are unchanged. The tail belongs to
    no step and is uninitialized; code that sums over it must call `zero_tail` first.
    """

    inputs: Tensor  # (N,) int64
    targets: Tensor  # (N,) int64
    row_counts: list[int]  # (T,), non-increasing
    order: Tensor  # (B,) int64: index of each row's tweet in the padded batch
    previous: Tensor  # (N,) int64: index of the previous state in (B + N, H) states, of which the first B are initial
    num_in_steps: int  # rows before the tail
    total_targets: int  # targets of the whole step

    @classmethod
    def from_batch(cls, batch: Batch, *, has_few_shapes: bool = False) -> PackedBatch:
        """Pack a batch in which padding occurs only after each tweet; `has_few_shapes` adds rows."""
        is_target = batch.targets != PAD  # (B, T)
        lengths = is_target.sum(axis=1)
        order = np.argsort(-lengths, kind="stable")
        row_counts = is_target.sum(axis=0)[: lengths.max()]
        if has_few_shapes:
            row_counts = np.minimum(-(-row_counts // ROWS) * ROWS, len(order))
        num_in_steps = int(row_counts.sum())
        num_rows = padded_num_rows(num_in_steps) if has_few_shapes else num_in_steps
        is_row = np.arange(len(order)) < row_counts[:, np.newaxis]  # (T, B)
        inputs, targets = np.full((2, num_rows), PAD)  # the rows of each step, then the tail
        for rows, padded in ((inputs, batch.inputs), (targets, batch.targets)):
            rows[:num_in_steps] = padded[order, : len(is_row)].T[is_row]
        previous = np.arange(num_rows) + len(order)  # a row of the tail has its own index
        rows_before = np.concatenate(([len(order)], row_counts[:-1]))  # (T,)
        previous[:num_in_steps] -= np.repeat(rows_before, row_counts)  # as many rows earlier as the step before has
        return cls(
            inputs=torch.from_numpy(inputs),
            targets=torch.from_numpy(targets),
            row_counts=row_counts.tolist(),
            order=torch.from_numpy(order),
            previous=torch.from_numpy(previous),
            num_in_steps=num_in_steps,
            total_targets=batch.total_targets,
        )

    def __len__(self) -> int:
        """Return N, the added rows included."""
        return len(self.inputs)

    def zero_tail(self, rows: Tensor) -> None:
        """Zero the rows, of N, that belong to no step."""
        if self.num_in_steps < len(self):
            rows[self.num_in_steps :].zero_()


def padded_num_rows(num_rows: int) -> int:
    """Return the smallest size that is at least `num_rows`; there are four between a power of two and the next."""
    step = max(_MIN_PADDED_ROWS, 1 << num_rows.bit_length()) // 2 // _SIZES_PER_OCTAVE
    return max(_MIN_PADDED_ROWS, -(-num_rows // step) * step)
