"""Questions about what the model computes and what a batch contains, beside the events that answer them.

T is the number of characters of the text. Sequences have one entry per target, T + 1 with `<EOS>` last, unless their
docstring says otherwise. Numbers are rounded to a few digits and units pooled into bands, so that an answer is small
enough for every client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.protocol.events import BaseEvent, CharRead, StepNumber

ReachMethod = Literal["occlusion", "gradient"]
Bands = tuple[tuple[float, ...], ...]
"""One row per character, one column per band; a band is the mean of neighbouring units."""


@dataclass(frozen=True, kw_only=True)
class InsightEvent(BaseEvent):
    """The fields of all answers about the weights."""

    request: int
    """As in the command."""
    weights_step: StepNumber
    """The step of the weights that were used; training may have gone on since."""


@dataclass(frozen=True, kw_only=True)
class CharGates:
    """What one layer did while it read one input."""

    reset_mean: float
    """Mean of the reset gate r over the units."""
    update_mean: float
    """Mean of the update gate z: 1 keeps the state, 0 overwrites it."""
    saturated_share: float
    """Share of all r and z below 0.1 or above 0.9."""
    kept_share: float
    """Share of units with z above 0.9."""
    overwritten_share: float
    """Share of units with z below 0.1."""
    hidden_change: float
    """Root mean square change of the hidden state over the units."""


@dataclass(frozen=True, kw_only=True)
class OwnDraw:
    """The same model fed with its own draws in place of the text."""

    first: int
    """The number of characters of the text that it was fed before its own."""
    text: str
    """These characters and those it drew after them."""
    reached_eos: bool
    chars: tuple[CharRead, ...]
    """One per character of `text`, and one for `<EOS>`."""
    hidden_bands: Bands
    """As in `TextTraced`, for `text`."""


@dataclass(frozen=True, kw_only=True)
class TextTraced(InsightEvent):
    """Everything that the model computed along a text; answers `TraceText`."""

    text: str
    layer: int
    """The layer of gates and states, from 0."""
    num_layers: int
    embedding_size: int
    hidden_size: int
    vocab_size: int
    token_ids: tuple[int, ...]
    """The inputs: `<BOS>`, then the characters."""
    chars: tuple[CharRead, ...]
    """The prediction of each target. An unknown character costs 20 bits more than in the losses below."""
    next_log_probs: tuple[float, ...]
    """After the whole text, the log-probabilities, nats, of all that can be drawn next, highest first: those of the
    last of `chars` and of every other character."""
    gates: tuple[CharGates, ...]
    """One per input."""
    embedding_bands: Bands
    """The embedding of each input."""
    hidden_bands: Bands
    """The hidden state before the first input, then after each one: T + 2 rows."""
    reset_bands: Bands
    """The reset gate r at each input. Units are in ascending order of their mean z over the text, in all three."""
    update_bands: Bands
    """The update gate z at each input."""
    candidate_bands: Bands
    """The candidate n at each input, -1 to 1."""
    stepwise_loss: float
    """Mean loss of the targets, one character at a time, nats."""
    sequence_loss: float
    """The same from the whole sequence at once."""
    own: OwnDraw | None
    """The model fed with its own draws, if that was asked for."""


@dataclass(frozen=True, kw_only=True)
class ReachMeasured(InsightEvent):
    """How much each earlier input matters to one prediction; answers `MeasureReach`."""

    text: str
    position: int
    """The target that is predicted: an index of the text, or its length for `<EOS>`."""
    method: ReachMethod
    scores: tuple[float, ...]
    """One per input up to the prediction, `<BOS>` first: by occlusion, the bits that the true character costs more when
    this input is hidden; by gradient, the norm of the gradient of its bits with respect to the input's embedding."""


@dataclass(frozen=True, kw_only=True)
class UnitScore:
    """How well a hidden unit tracks a concept."""

    layer: int
    unit: int
    concept: str
    correlation: float
    """Pearson correlation of the unit's state and the concept over all characters, -1 to 1."""


@dataclass(frozen=True, kw_only=True)
class UnitsScored(InsightEvent):
    """The hidden units that track concepts best, on held-out tweets; answers `ScoreUnits`."""

    num_tweets: int
    num_chars: int
    units: tuple[UnitScore, ...]
    """Up to eight per concept, by the absolute correlation, highest first."""


@dataclass(frozen=True, kw_only=True)
class UnitHeld(InsightEvent):
    """One unit along a text, and what the model predicts and samples while it is held; answers `HoldUnit`."""

    text: str
    layer: int
    unit: int
    value: float | None
    """The value at which it is held; None where it is free."""
    activations: tuple[float, ...]
    """The unit's own state after each input, not held, -1 to 1."""
    chars: tuple[CharRead, ...]
    """The predictions while it is held."""
    tweets: tuple[str, ...]
    """Tweets sampled while it is held, from the same seeds for every value."""


@dataclass(frozen=True, kw_only=True)
class CharPoint:
    """The place of a character on the map."""

    char: str
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class EmbeddingsMapped(InsightEvent):
    """The characters by the first two principal components of their embeddings; answers `MapEmbeddings`."""

    points: tuple[CharPoint, ...]
    """The first characters of the vocabulary, up to 200, in its order: most frequent first, unless it grew."""
    variance_shares: tuple[float, ...]
    """The share of the embeddings' variance along each component."""
    num_chars: int
    """All characters of the vocabulary, of which the components were computed."""


@dataclass(frozen=True, kw_only=True)
class StepTaken(BaseEvent):
    """A single step was taken while paused; answers `TakeStep`, after the `StepsFinished` of that step."""

    loss_before: float
    """Loss of the step's batch with the weights before it, without dropout, nats per character."""
    loss_after: float
    """Loss of the same batch with the weights after it."""
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    num_tweets: int
    num_targets: int


@dataclass(frozen=True, kw_only=True)
class BatchRow:
    """One tweet of a batch."""

    text: str
    token_ids: tuple[int, ...]
    """The inputs: `<BOS>`, then the characters; without padding."""


@dataclass(frozen=True, kw_only=True)
class BatchShown(BaseEvent):
    """A batch: of the last step, of the first before that, or of random tweets; answers `ShowBatch`."""

    batch_step: StepNumber
    """The step that trained on it; `step` + 1 if no step was taken yet."""
    rows: tuple[BatchRow, ...]
    """The first tweets, at most 64 of at most 300 characters each."""
    num_tweets: int
    """Tweets of the batch (B)."""
    num_columns: int
    """Columns of inputs and targets (T + 1): the longest tweet and one more."""
    num_targets: int
    """Targets without padding."""
    vocab_size: int
    sorted_padding: float
    """Share of padding, 0 to 1, over an epoch of batches of tweets of similar length, as they are trained on."""
    shuffled_padding: float
    """The same if batches were cut from the shuffled tweets without sorting."""
    shuffled: bool = False
    """The tweets were drawn at random, not sorted by length; it is no training batch."""


@dataclass(frozen=True, kw_only=True)
class SpeedLimitChanged(BaseEvent):
    """Training is limited to this speed from now on."""

    steps_per_second: float
    """0 is no limit."""


@dataclass(frozen=True, kw_only=True)
class BaselinesMeasured(BaseEvent):
    """Bits per character of simple models of the training tweets on the validation tweets of the run's evaluations.

    Answers `MeasureBaselines`; where they are not in the cache, a first answer without the n-grams of higher orders
    precedes the complete one.
    """

    request: int
    names: tuple[str, ...]
    """`uniform`, `unigram`, then n-grams in ascending order."""
    bits_per_char: tuple[float, ...]
    """One per name."""
    is_complete: bool = True
    """False in a first answer, which another one follows."""


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
