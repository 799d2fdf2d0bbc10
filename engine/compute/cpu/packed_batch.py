"""`PackedBatch`: the characters of a batch without its padding, as the rows of one matrix for all time steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.corpus.encoded_tweets import Batch
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
    added: Tensor  # (A,) int64: indices of the added rows
    total_targets: int  # of the whole step

    @classmethod
    def from_batch(cls, batch: Batch, *, has_few_shapes: bool = False) -> PackedBatch:
        """Pack a batch in which padding occurs only after each tweet; `has_few_shapes` adds rows."""
        is_target = batch.targets != PAD  # (B, T)
        lengths = is_target.sum(axis=1)
        order = np.argsort(-lengths, kind="stable")
        row_counts = is_target.sum(axis=0)[: lengths.max()]
        num_rows = int(row_counts.sum())
        if has_few_shapes:
            row_counts = np.minimum(-(-row_counts // ROWS) * ROWS, len(order))
            num_rows = padded_num_rows(int(row_counts.sum()))
        is_row = np.arange(len(order)) < row_counts[:, np.newaxis]  # (T, B)
        inputs, targets = (_packed(padded, order, is_row, num_rows) for padded in (batch.inputs, batch.targets))
        return cls(
            inputs=torch.from_numpy(inputs),
            targets=torch.from_numpy(targets),
            row_counts=row_counts.tolist(),
            order=torch.from_numpy(order),
            previous=torch.from_numpy(_previous_rows(row_counts, len(order), num_rows)),
            added=torch.from_numpy(np.flatnonzero(targets == PAD)),
            total_targets=batch.total_targets,
        )

    def __len__(self) -> int:
        """Return N, the added rows included."""
        return len(self.inputs)

    def zero_tail(self, rows: Tensor) -> None:
        """Zero the rows, of N, that belong to no step."""
        if self.added.numel():
            rows[sum(self.row_counts) :].zero_()


def padded_num_rows(num_rows: int) -> int:
    """Return the smallest size that is at least `num_rows`; there are four between a power of two and the next."""
    step = max(_MIN_PADDED_ROWS, 1 << num_rows.bit_length()) // 2 // _SIZES_PER_OCTAVE
    return max(_MIN_PADDED_ROWS, -(-num_rows // step) * step)


def _packed(
    padded: npt.NDArray[np.int64], order: npt.NDArray[np.int64], is_row: npt.NDArray[np.bool_], num_rows: int
) -> npt.NDArray[np.int64]:
    """Return `padded` (B, T) as (N,): the rows of each step, then the tail."""
    by_step: npt.NDArray[np.int64] = padded[order, : len(is_row)].T[is_row]
    return np.concatenate([by_step, np.full(num_rows - len(by_step), PAD)])


def _previous_rows(row_counts: npt.NDArray[np.int64], batch_size: int, num_rows: int) -> npt.NDArray[np.int64]:
    """Return the index (N,) of each row's previous state: as many rows earlier as the previous step has.

    A row of the tail has its own index.
    """
    rows_before = np.concatenate(([batch_size], row_counts[:-1]))  # (T,)
    rows: npt.NDArray[np.int64] = np.arange(num_rows) + batch_size
    rows[: row_counts.sum()] -= np.repeat(rows_before, row_counts)
    return rows
