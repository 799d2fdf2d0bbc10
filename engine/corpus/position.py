"""`Position`: a place in the data, as a checkpoint keeps it. Knows no numpy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Position:
    """A place in the data: the batch that comes next."""

    epoch: int = 0
    batch: int = 0
