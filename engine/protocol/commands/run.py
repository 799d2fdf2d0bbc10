"""Commands that pause, end, save and load a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Pause training; answered by `Paused`."""


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Continue training; answered by `Resumed`."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Save `latest` and end the run, ahead of all queued queries; answered by `RunFinished` with this reason."""

    reason: str = "stopped"
    unless_unsaved: bool = False
    """Whether to refuse where `latest` can't be saved, so that the user can decide."""


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Anneal the learning rate to zero over the next 10 % of the steps, then stop; answered by `FinishPlanned`."""


@dataclass(frozen=True, kw_only=True)
class CancelFinish:
    """Cancel a `Finish`; answered by `FinishCancelled`."""


@dataclass(frozen=True, kw_only=True)
class TakeStep:
    """Take one step and pause again; answered by `Resumed`, `StepsFinished`, `StepTaken` and `Paused`.

    Refused unless the run is paused.
    """


@dataclass(frozen=True, kw_only=True)
class SaveCheckpoint:
    """Save under a name; answered by `CheckpointSaved`. Refused where the name is taken and `replace` is false."""

    name: str
    replace: bool = False


@dataclass(frozen=True, kw_only=True)
class SaveLatest:
    """Save the run's own `latest` now; answered by `CheckpointSaved`, or by a `Warned` of the kind "disk"."""


@dataclass(frozen=True, kw_only=True)
class LoadCheckpoint:
    """Continue from a checkpoint, by name or path; answered by `CheckpointLoaded`."""

    name: str
    halves_rate: bool = False
    """Whether to continue at half the checkpoint's learning rate; `LearningRateChanged` follows then."""
