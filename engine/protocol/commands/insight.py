"""Questions about what the model computes, its batches, and simple models to compare it with."""

from __future__ import annotations

from dataclasses import dataclass

from engine.protocol.events.insight import ReachMethod

MAX_TRACED_CHARS = 500
"""Length of the longest text that `TraceText`, `MeasureReach` and `HoldUnit` accept."""


@dataclass(frozen=True, kw_only=True)
class ShowBatch:
    """Show the batch of the last step; answered by `BatchShown`."""

    shuffled: bool = False
    """Show a batch of randomly drawn tweets, not sorted by length, instead of a training batch."""


@dataclass(frozen=True, kw_only=True)
class TraceText:
    """Run the model over a text and return what it computes at each character; answered by `TextTraced`."""

    text: str
    request: int = 0
    """Any number; identifies the answer. A newer command of the same type and number replaces one not answered yet."""
    layer: int = 0
    """The layer whose gates and states are returned, from 0."""
    own_from: int | None = None
    """If given, also feed the model its own draws after this many characters of the text."""
    seed: int = 0
    """Of these draws, at the run's sampling settings."""


@dataclass(frozen=True, kw_only=True)
class MeasureReach:
    """Measure how much each earlier character matters to one prediction; answered by `ReachMeasured`."""

    text: str
    position: int
    """The index of the predicted character; the length of the text for `<EOS>`."""
    request: int = 0
    method: ReachMethod = "occlusion"


@dataclass(frozen=True, kw_only=True)
class ScoreUnits:
    """Score the hidden units by the concepts that they track, on held-out tweets; answered by `UnitsScored`."""

    request: int = 0


@dataclass(frozen=True, kw_only=True)
class HoldUnit:
    """Read one hidden unit along a text, and sample tweets while it is held at a value; answered by `UnitHeld`."""

    text: str
    layer: int
    unit: int
    request: int = 0
    value: float | None = None
    """-1 to 1; None leaves the unit free."""
    seed: int = 0
    """Of the sampled tweets."""


@dataclass(frozen=True, kw_only=True)
class MapEmbeddings:
    """Place the characters by the principal components of their embeddings; answered by `EmbeddingsMapped`."""

    request: int = 0


@dataclass(frozen=True, kw_only=True)
class MeasureBaselines:
    """Measure simple models of the training tweets, for comparison; answered by `BaselinesMeasured`."""

    request: int = 0
