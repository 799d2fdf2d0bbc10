"""Questions about what the model computes and what a batch contains, beside the events that answer them.

T is the number of characters of the text. Sequences have one entry per target, T + 1 with `<EOS>` last, unless their
docstring says otherwise. Numbers are rounded to a few digits and units pooled into bands, so that an answer is small
enough for every client.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from engine.protocol.codec import Count, Integer, Number, StepNumber
from engine.protocol.commands import Command
from engine.protocol.events import CharRead, Event

MAX_TRACED_CHARS = 500
"""Length of the longest text that `TraceText`, `MeasureReach` and `HoldUnit` accept."""
ReachMethod = Literal["occlusion", "gradient"]
Bands = tuple[tuple[Number, ...], ...]
"""One row per character, one column per band; a band is the mean of neighbouring units."""


class Question(Command, frozen=True):
    """A command that changes nothing and whose answer is not journalled: a read-only client may send it."""

    is_query: ClassVar[bool] = True


class Insight(Question, frozen=True, kw_only=True):
    """A question about the weights, or for the baselines of the tweets, answered in pieces while training goes on."""

    request: Integer = 0
    """Any number; identifies the answer. A newer command of the same type and number replaces one not answered yet."""

    def is_immediate(self) -> bool:
        """Return True: its execution only queues it."""
        return True


class InsightEvent(Event, frozen=True, kw_only=True):
    """The fields of all answers about the weights."""

    is_recorded: ClassVar[bool] = False
    question: ClassVar[type[Insight]]
    """The command that it answers."""
    request: Integer
    """The `request` of the command."""
    weights_step: StepNumber
    """The step of the weights that were used; training may have gone on since."""


class TraceText(Insight, frozen=True, kw_only=True):
    """Run the model over a text and return what it computes at each character; answered by `TextTraced`."""

    text: str
    layer: Integer = 0
    """The layer whose gates and states are returned, from 0."""
    own_from: Integer | None = None
    """If given, also feed the model its own draws after this many characters of the text."""
    seed: Integer = 0
    """The seed of these draws, which use the run's sampling settings."""


class CharGates(msgspec.Struct, frozen=True, kw_only=True):
    """A summary of one layer's gates and state at one input."""

    reset_mean: Number
    """Mean of the reset gate r over the units."""
    update_mean: Number
    """Mean of the update gate z: 1 keeps the state, 0 overwrites it."""
    saturated_share: Number
    """Share of all r and z below 0.1 or above 0.9."""
    kept_share: Number
    """Share of units with z above 0.9."""
    overwritten_share: Number
    """Share of units with z below 0.1."""
    hidden_change: Number
    """Root mean square change of the hidden state over the units."""


class OwnDraw(msgspec.Struct, frozen=True, kw_only=True):
    """A free-running sample: the model is fed with its own draws in place of the text."""

    first: Integer
    """The number of characters of the text that it was fed before its own."""
    text: str
    """The characters that were fed, then those that were drawn."""
    reached_eos: bool
    chars: tuple[CharRead, ...]
    """One per character of `text`, and one for `<EOS>`."""
    hidden_bands: Bands
    """The hidden states along `text`, as in `TextTraced`."""


class TextTraced(InsightEvent, frozen=True, kw_only=True):
    """Everything that the model computed along a text; answers `TraceText`."""

    question: ClassVar[type[Insight]] = TraceText
    text: str
    layer: Integer
    """The layer of gates and states, from 0."""
    num_layers: Integer
    embedding_size: Integer
    hidden_size: Integer
    vocab_size: Integer
    token_ids: tuple[Count, ...]
    """The inputs: `<BOS>`, then the characters."""
    chars: tuple[CharRead, ...]
    """The prediction of each target. An unknown character costs 20 bits more than in the losses below."""
    next_log_probs: tuple[Number, ...]
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
    stepwise_loss: Number
    """Mean loss of the targets, one character at a time, nats."""
    sequence_loss: Number
    """Mean loss of the targets, the whole sequence at once, nats."""
    own: OwnDraw | None
    """The model fed with its own draws, if that was asked for."""


class MeasureReach(Insight, frozen=True, kw_only=True):
    """Measure how much each earlier character matters to one prediction; answered by `ReachMeasured`."""

    text: str
    position: Integer
    """The index of the predicted character; the length of the text for `<EOS>`."""
    method: ReachMethod = "occlusion"


class ReachMeasured(InsightEvent, frozen=True, kw_only=True):
    """How much each earlier input matters to one prediction; answers `MeasureReach`."""

    question: ClassVar[type[Insight]] = MeasureReach
    text: str
    position: Integer
    """The target that is predicted: an index of the text, or its length for `<EOS>`."""
    method: ReachMethod
    scores: tuple[Number, ...]
    """One per input up to the prediction, `<BOS>` first: by occlusion, the bits that the true character costs more when
    this input is hidden; by gradient, the norm of the gradient of its bits with respect to the input's embedding."""


class ScoreUnits(Insight, frozen=True, kw_only=True):
    """Score the hidden units by the concepts that they track, on held-out tweets; answered by `UnitsScored`."""


class UnitScore(msgspec.Struct, frozen=True, kw_only=True):
    """How well a hidden unit tracks a concept."""

    layer: Integer
    unit: Integer
    concept: str
    correlation: Number
    """Pearson correlation of the unit's state and the concept over all characters, -1 to 1."""


class UnitsScored(InsightEvent, frozen=True, kw_only=True):
    """The hidden units that track concepts best, on held-out tweets; answers `ScoreUnits`."""

    question: ClassVar[type[Insight]] = ScoreUnits
    num_tweets: Integer
    num_chars: Integer
    units: tuple[UnitScore, ...]
    """Up to eight per concept, by the absolute correlation, highest first."""


class HoldUnit(Insight, frozen=True, kw_only=True):
    """Read one hidden unit along a text, and sample tweets while it is held at a value; answered by `UnitHeld`."""

    text: str
    layer: Integer
    unit: Integer
    value: Number | None = None
    """-1 to 1; None leaves the unit free."""
    seed: Integer = 0
    """The seed of the sampled tweets."""


class UnitHeld(InsightEvent, frozen=True, kw_only=True):
    """One unit along a text, and what the model predicts and samples while it is held; answers `HoldUnit`."""

    question: ClassVar[type[Insight]] = HoldUnit
    text: str
    layer: Integer
    unit: Integer
    value: Number | None
    """The value at which it is held; None where it is free."""
    activations: tuple[Number, ...]
    """The unit's own state after each input, not held, -1 to 1."""
    chars: tuple[CharRead, ...]
    """The predictions while it is held."""
    tweets: tuple[str, ...]
    """Tweets sampled while it is held, from the same seeds for every value."""


class MapEmbeddings(Insight, frozen=True, kw_only=True):
    """Place the characters by the principal components of their embeddings; answered by `EmbeddingsMapped`."""


class CharPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a character on the map."""

    char: str
    x: Number
    y: Number


class EmbeddingsMapped(InsightEvent, frozen=True, kw_only=True):
    """The characters by the first two principal components of their embeddings; answers `MapEmbeddings`."""

    question: ClassVar[type[Insight]] = MapEmbeddings
    points: tuple[CharPoint, ...]
    """The first characters of the vocabulary, up to 200, in its order: most frequent first, unless it grew."""
    variance_shares: tuple[Number, ...]
    """The share of the embeddings' variance along each component."""
    num_chars: Integer
    """All characters of the vocabulary, of which the components were computed."""


class StepTaken(Event, frozen=True, kw_only=True):
    """A single step was taken while paused; answers `TakeStep`, after the `StepsFinished` of that step."""

    loss_before: Number
    """Loss of the step's batch with the weights before it, without dropout, nats per character."""
    loss_after: Number
    """Loss of the same batch with the weights after it."""
    grad_norm: Number
    """Before clipping."""
    learning_rate: Number
    num_tweets: Integer
    num_targets: Integer


class ShowBatch(Question, frozen=True, kw_only=True):
    """Show the batch of the last step; answered by `BatchShown`."""

    shuffled: bool = False
    """Show a batch of randomly drawn tweets, not sorted by length, instead of a training batch."""


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One tweet of a batch."""

    text: str
    token_ids: tuple[Count, ...]
    """The inputs: `<BOS>`, then the characters; without padding."""


class BatchShown(Event, frozen=True, kw_only=True):
    """A batch: of the last step, of the first before that, or of random tweets; answers `ShowBatch`."""

    is_recorded: ClassVar[bool] = False
    batch_step: StepNumber
    """The step that trained on it; `step` + 1 if no step was taken yet."""
    rows: tuple[BatchRow, ...]
    """The first tweets, at most 64 of at most 300 characters each."""
    num_tweets: Integer
    """Tweets of the batch (B)."""
    num_columns: Integer
    """Columns of inputs and targets (T + 1): the longest tweet and one more."""
    num_targets: Integer
    """Targets without padding."""
    vocab_size: Integer
    sorted_padding: Number
    """Share of padding, 0 to 1, over an epoch of batches of tweets of similar length, as they are trained on."""
    shuffled_padding: Number
    """Share of padding if batches were cut from the shuffled tweets without sorting."""
    shuffled: bool = False
    """The tweets were drawn at random, not sorted by length; it is no training batch."""


class MeasureBaselines(Insight, frozen=True, kw_only=True):
    """Measure simple models of the training tweets, for comparison; answered by `BaselinesMeasured`."""


class BaselinesMeasured(Event, frozen=True, kw_only=True):
    """Bits per character of simple models of the training tweets on the validation tweets of the run's evaluations.

    Answers `MeasureBaselines`; where they are not in the cache, a first answer without the n-grams of higher orders
    precedes the complete one.
    """

    is_recorded: ClassVar[bool] = False
    request: Integer
    names: tuple[str, ...]
    """`uniform`, `unigram`, then n-grams in ascending order."""
    bits_per_char: tuple[Number, ...]
    """One per name."""
    is_complete: bool = True
    """False in a first answer, which another one follows."""
