"""What every event has in common: its place in the run; and the field types that several events share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from engine.protocol.codec import LARGEST

Novelty = Literal["new", "near-copy", "copy"]
RefusalReason = Literal["copy", "near-copy", "avoided word", "required text missing", "too short", "unfinished"]
"""Why a draft does not pass the filter of `SamplingConfig`, in the order in which the reasons are checked."""
StepNumber = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Checked when an event is decoded: a journal may have been edited, and arrays are allocated from it."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
"""Checked when an event is decoded: the numbers of the events of which a journal has many."""


@dataclass(frozen=True, kw_only=True)
class BaseEvent:
    """The fields of all events."""

    step: StepNumber
    """Optimizer steps taken so far."""
    elapsed_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e18)]
    """Seconds of training so far, pauses excluded; continues across resumes."""
