"""`BatchCursor`: a place in the stream of batches, as checkpoints store it. Never imports numpy."""

from __future__ import annotations

from dataclasses import dataclass

from engine.protocol.codec import Count


@dataclass(frozen=True, kw_only=True)
class BatchCursor:
    """The next batch: number of the epoch, and of the batch in it, both from 0."""

    epoch: Count = 0
    batch: Count = 0
