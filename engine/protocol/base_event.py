"""What every event is made of: its place in the run; and how new a tweet is called. Events import it, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

Novelty = Literal["new", "near-copy", "copy"]
StepNumber = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Checked where an event is read: a journal may have been edited, and arrays have no room for more."""


@dataclass(frozen=True, kw_only=True)
class BaseEvent:
    """What all events share."""

    step: StepNumber
    """Optimizer steps taken so far."""
    elapsed_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e18)]
    """Seconds of training so far, pauses not counted; goes on where a resumed run left off."""
