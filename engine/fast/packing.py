"""A padded batch without its padding: time-major, longest tweet first, so that each step's rows are a prefix.

N is the number of real targets. Step t owns `row_counts[t]` rows, one per tweet that is not over yet; the tweets come
in the same order in every step. So what is done to all steps at once is done to N rows and never to padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.corpus.encoded import Batch
from engine.vocab import PAD


@dataclass(frozen=True)
class PackedBatch:
    """What the model sees and what it shall say, step after step."""

    inputs: Tensor  # (N,) int64
    targets: Tensor  # (N,) int64
    row_counts: list[int]  # (T,), never growing
    order: Tensor  # (B,) int64: the tweet of the padded batch that each row is
    previous: Tensor  # (N,) int64: the row of the step before in (B + N, H) states whose first B are the initial ones

    @classmethod
    def from_batch(cls, batch: Batch) -> PackedBatch:
        """Pack a batch in which padding only follows."""
        is_target = batch.targets != PAD  # (B, T)
        lengths = is_target.sum(axis=1)
        order = np.argsort(-lengths, kind="stable")
        is_real = is_target[order, : lengths.max()].T  # (T, B)
        row_counts = is_real.sum(axis=1)
        return cls(
            inputs=torch.from_numpy(_packed(batch.inputs, order, is_real)),
            targets=torch.from_numpy(_packed(batch.targets, order, is_real)),
            row_counts=row_counts.tolist(),
            order=torch.from_numpy(order),
            previous=torch.from_numpy(_previous_rows(row_counts, len(order))),
        )

    def __len__(self) -> int:
        """Return N."""
        return len(self.inputs)


def _packed(
    padded: npt.NDArray[np.int64], order: npt.NDArray[np.int64], is_real: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return the real ones of `padded` (B, T) as (N,)."""
    by_step: npt.NDArray[np.int64] = padded[order, : len(is_real)].T  # (T, B)
    return by_step[is_real]


def _previous_rows(row_counts: npt.NDArray[np.int64], batch_size: int) -> npt.NDArray[np.int64]:
    """Return where each of the N rows has its previous state: as many rows up as the step before has."""
    rows_before = np.concatenate(([batch_size], row_counts[:-1]))  # (T,)
    rows: npt.NDArray[np.int64] = np.arange(row_counts.sum()) + batch_size
    rows -= np.repeat(rows_before, row_counts)
    return rows
