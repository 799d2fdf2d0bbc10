"""A padded batch without its padding: time-major, longest tweet first, so that each step's rows are a prefix.

Step t owns `row_counts[t]` rows, one per tweet that is not over yet; the tweets come in the same order in every step.
So what is done to all steps at once is done to N rows, one for each real target, and never to padding.

**Few shapes.** oneDNN, which multiplies bfloat16, compiles code for every shape that it meets, in milliseconds, and
keeps it, in 0.6 to 1 MB. N is another number in nearly every batch. So `from_batch` can be told to add rows, so that
few shapes come: to a step, up to a multiple of `ROWS`, for tweets that are over, and behind the last step a tail, up to
the next of the heights of `height_for`. A row that was added has `PAD` as its target and no part in the loss. Then no
gradient comes to it from above, nor from a later step, so that all its gradients are zero: what is summed over N rows
stays what it is. The tail belongs to no step; whoever sums over it has it cleared by `clear_tail`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD

ROWS = 8
"""To a multiple of this, at most B, are the rows of a step filled up."""
_LEAST_HEIGHT = 128
_PER_OCTAVE = 4
"""Heights between a power of two and the next: N grows by 1/4 at most, by 1/9 on average."""


@dataclass(frozen=True)
class PackedBatch:
    """What the model sees and what it shall say, step after step."""

    inputs: Tensor  # (N,) int64
    targets: Tensor  # (N,) int64
    row_counts: list[int]  # (T,), never growing
    order: Tensor  # (B,) int64: the tweet of the padded batch that each row is
    previous: Tensor  # (N,) int64: the row of the step before in (B + N, H) states whose first B are the initial ones
    added: Tensor  # (A,) int64: the rows that were added
    num_targets: int  # N - A

    @classmethod
    def from_batch(cls, batch: Batch, *, has_few_shapes: bool = False) -> PackedBatch:
        """Pack a batch in which padding only follows, with rows added where it `has_few_shapes`."""
        is_target = batch.targets != PAD  # (B, T)
        lengths = is_target.sum(axis=1)
        order = np.argsort(-lengths, kind="stable")
        row_counts = is_target.sum(axis=0)[: lengths.max()]
        num_rows = num_targets = int(row_counts.sum())
        if has_few_shapes:
            row_counts = np.minimum(-(-row_counts // ROWS) * ROWS, len(order))
            num_rows = height_for(int(row_counts.sum()))
        is_row = np.arange(len(order)) < row_counts[:, np.newaxis]  # (T, B)
        inputs, targets = (_packed(padded, order, is_row, num_rows) for padded in (batch.inputs, batch.targets))
        return cls(
            inputs=torch.from_numpy(inputs),
            targets=torch.from_numpy(targets),
            row_counts=row_counts.tolist(),
            order=torch.from_numpy(order),
            previous=torch.from_numpy(_previous_rows(row_counts, len(order), num_rows)),
            added=torch.from_numpy(np.flatnonzero(targets == PAD)),
            num_targets=num_targets,
        )

    def __len__(self) -> int:
        """Return N."""
        return len(self.inputs)

    def clear_tail(self, rows: Tensor) -> None:
        """Set those of N rows that belong to no step to zero."""
        if self.added.numel():
            rows[sum(self.row_counts) :].zero_()


def height_for(num_rows: int) -> int:
    """Return the least height that is not below a number of rows; there are 4 from a power of two to the next."""
    step = max(_LEAST_HEIGHT, 1 << num_rows.bit_length()) // 2 // _PER_OCTAVE
    return max(_LEAST_HEIGHT, -(-num_rows // step) * step)


def _packed(
    padded: npt.NDArray[np.int64], order: npt.NDArray[np.int64], is_row: npt.NDArray[np.bool_], num_rows: int
) -> npt.NDArray[np.int64]:
    """Return the rows of `padded` (B, T) and the tail as (N,)."""
    by_step: npt.NDArray[np.int64] = padded[order, : len(is_row)].T[is_row]
    return np.concatenate([by_step, np.full(num_rows - len(by_step), PAD)])


def _previous_rows(row_counts: npt.NDArray[np.int64], batch_size: int, num_rows: int) -> npt.NDArray[np.int64]:
    """Return where each of the N rows has its previous state: as many rows up as the step before has.

    In the tail, each takes itself.
    """
    rows_before = np.concatenate(([batch_size], row_counts[:-1]))  # (T,)
    rows: npt.NDArray[np.int64] = np.arange(num_rows) + batch_size
    rows[: row_counts.sum()] -= np.repeat(rows_before, row_counts)
    return rows
