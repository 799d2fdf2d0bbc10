"""`BatchCursor`: a place in the stream of batches, as checkpoints store it. Never imports numpy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BatchCursor:
    """The next batch: number of the epoch, and of the batch in it, both from 0."""

    epoch: int = 0
    batch: int = 0
