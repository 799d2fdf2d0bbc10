"""What every event is made of: its place in the run; and how new a tweet is called. Events import it, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Novelty = Literal["new", "near-copy", "copy"]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What all events share."""

    step: int
    """Optimizer steps taken so far."""
    elapsed_seconds: float
    """Seconds of training so far, pauses not counted; goes on where a resumed run left off."""
