"""What the weights have learned: which hidden units track which concepts, and which characters are used alike.

A unit is scored by the Pearson correlation of its state with the label of a concept, over all characters of many
tweets. Sums are kept in float64, of differences from the first character's values, so that a constant has a variance
of exactly 0.

A concept is a rule on the characters alone. The label of the character at place t is compared with the hidden state
after that character was read. So "after a space" is true where the character itself is a space, and "vowel next"
depends on the character at t + 1, which the state can only predict.

Characters that are used alike get embeddings close to each other: the map has their principal components.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.stepper import HeldUnit
from engine.corpus.arrays import EncodedTweets, Indices
from engine.errors import ConfigError
from engine.insight.snapshot import ExplicitGru, Snapshot
from engine.insight.trace import (
    FINE_DIGITS,
    chars_read,
    check_index,
    check_layer_and_seed,
    check_text,
    require_finite,
    rounded,
    trace,
)
from engine.model.vocab import SPECIALS, UNK, Vocab
from engine.protocol.insight import MAX_TRACED_CHARS, CharPoint, HoldUnit, MapEmbeddings, ScoreUnits, UnitScore
from engine.protocol.progress import CooperativeTask
from engine.sampling.sampler import SampledTweet, TweetSampler
from engine.text import LOST, sanitize, sanitize_char, sanitize_in_place

Labels: TypeAlias = npt.NDArray[np.float64]
MAX_TWEETS = 500
"""Some 37,000 characters of ordinary tweets: the standard error of a correlation is then below 0.01, the last digit
shown, and there are dozens of links and hashtags. The work grows with their number."""
BEST_UNITS = 8
"""Per concept."""
_BATCH_TWEETS = 32
NUM_SAMPLES = 4
_NAME = re.compile(r"(?<!\w)@\w+")
_LINK = re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE)
_HASHTAG = re.compile(r"(?<!\w)#(?=\w*[^\W\d])\w+")  # "#1" is no hashtag
_PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "«": "»", '"': '"'}
_MIN_UPPER_CASE = 2
"""Number of adjacent capitals that make a stretch; a single one starts a word."""


def score_units(model: Snapshot, _command: ScoreUnits) -> CooperativeTask[dict[str, Any]]:
    """Return the fields of `UnitsScored`."""
    tweets = model.held_out()
    chosen = some_tweets(len(tweets))
    yield
    correlation = yield from correlate(model.gru, model.vocab, tweets, chosen)
    return {
        "num_tweets": len(chosen),
        "num_chars": correlation.count,
        "units": best_units(correlation.result(), model.gru.hidden_size),
    }


def hold_unit(model: Snapshot, command: HoldUnit) -> CooperativeTask[dict[str, Any]]:
    """Return the fields of `UnitHeld`. Raises `ConfigError` on an invalid command."""
    text, layer, unit, value = command.text, command.layer, command.unit, command.value
    check_text(text)
    check_layer_and_seed(model, layer, command.seed)
    check_index("unit", unit, model.gru.hidden_size - 1, "The first unit is 0.")
    if value is not None and not -1 <= value <= 1:
        raise ConfigError(f"A hidden unit has values from -1 to 1, not {value:g}.", "Use -1 to 1.")
    held = None if value is None else HeldUnit(layer, unit, value)
    token_ids = model.vocab.encode(text)
    free = yield from trace(model.gru, token_ids)
    traced = free if held is None else (yield from trace(model.gru, token_ids, held))
    chars = yield from chars_read(model.vocab, text, traced)
    tweets = yield from sample_held(model, command.seed, held)
    return {
        "text": sanitize_in_place(text),
        "layer": layer,
        "unit": unit,
        "value": value,
        "activations": tuple(rounded(free.layers[layer].hidden[1:, unit])),
        "chars": chars,
        "tweets": tuple(sanitize(tweet.text) for tweet in tweets),
    }


def sample_held(model: Snapshot, seed: int, held: HeldUnit | None) -> CooperativeTask[list[SampledTweet]]:
    """Return `NUM_SAMPLES` tweets, from the seeds `seed`, `seed` + 1 and so on.

    They have at most `MAX_TRACED_CHARS` characters, no prime, as the unit is held from `<BOS>` on, and no filter. So
    Radford, Jozefowicz and Sutskever (2017, arXiv:1704.01444) set the unit that tracks sentiment. Raises
    `DivergedError` if the model's output is not finite.
    """
    max_length = min(model.sampling.max_length, MAX_TRACED_CHARS)
    sampling = replace(model.sampling.without_filter(), prime="", max_length=max_length)
    seeds = range(seed, seed + NUM_SAMPLES)
    sampler = TweetSampler(model.model, model.vocab, sampling, seeds, may_compile=False, held=held)
    while not sampler.is_done:
        sampler.advance()
        yield
    return sampler.results()


class Correlation:
    """Sums over all characters, from which the correlation of each unit with each concept is computed."""

    def __init__(self, num_concepts: int, num_units: int) -> None:
        self.count = 0
        """Characters so far."""
        self._num_concepts = num_concepts
        self._first: Tensor | None = None  # (concepts + units,)
        self._sums, self._squares = torch.zeros(2, num_concepts + num_units, dtype=torch.float64)
        self._products = torch.zeros(num_concepts, num_units, dtype=torch.float64)

    def add(self, labels: Tensor, units: Tensor) -> None:
        """Add N characters: labels (N, concepts) and states (N, units)."""
        rows = torch.cat([labels.double(), units.double()], dim=1)
        if self._first is None:
            self._first = rows[0].clone()
        rows -= self._first
        self.count += len(rows)
        self._sums += rows.sum(dim=0)
        self._squares += rows.square().sum(dim=0)
        self._products.addmm_(rows[:, : self._num_concepts].t(), rows[:, self._num_concepts :])

    def result(self) -> Tensor:
        """Return the correlations, (concepts, units), 0 for a constant concept or unit.

        Raises `DivergedError` on non-finite states.
        """
        require_finite(self._squares)
        spreads = (self.count * self._squares - self._sums.square()).clamp_(min=0).sqrt_()
        spread_of_concepts, spread_of_units = spreads[: self._num_concepts], spreads[self._num_concepts :]
        sum_of_concepts, sum_of_units = self._sums[: self._num_concepts], self._sums[self._num_concepts :]
        scale = torch.outer(spread_of_concepts, spread_of_units)
        covariance = self.count * self._products - torch.outer(sum_of_concepts, sum_of_units)
        return torch.where(scale > 0, covariance / scale, 0.0).clamp_(-1, 1)


def some_tweets(count: int) -> Indices:
    """Return the indices of at most `MAX_TWEETS` of `count` tweets, evenly spaced."""
    return np.linspace(0, count - 1, min(count, MAX_TWEETS)).round().astype(np.int64)


def correlate(gru: ExplicitGru, vocab: Vocab, tweets: EncodedTweets, chosen: Indices) -> CooperativeTask[Correlation]:
    """Return the sums of all concepts and the units of all layers, the first layer's first, over the `chosen` tweets.

    `<BOS>` has no label and `<EOS>` is never read, so neither counts.
    """
    table = gru.table
    correlation = Correlation(len(CONCEPTS), len(gru.layers) * gru.hidden_size)
    by_length = chosen[np.argsort(-tweets.lengths[chosen], kind="stable")]
    yield
    for first in range(0, len(by_length), _BATCH_TWEETS):
        indices = by_length[first : first + _BATCH_TWEETS]
        inputs = torch.from_numpy(tweets.batch(indices).inputs)  # (B, T + 1), the longest tweet first
        labels = torch.from_numpy(_labels(vocab, tweets, indices))  # (T, B, concepts)
        num_unfinished = (tweets.lengths[indices] > np.arange(len(labels))[:, None]).sum(axis=1).tolist()  # (T,)
        rows = gru.ngram_rows(inputs)  # (3, B, T + 1)
        columns = gru.add_ngrams(table[inputs[:, 0]], rows[..., 0])  # (B, 4H)
        states = gru.step(columns, gru.initial_states(len(inputs)))
        yield
        for place, num_rows in enumerate(num_unfinished):
            columns = gru.add_ngrams(table[inputs[:num_rows, place + 1]], rows[:, :num_rows, place + 1])
            states = gru.step(columns, [state[:num_rows] for state in states])
            correlation.add(labels[place, :num_rows], torch.cat(states, dim=1))
            yield
    return correlation


def best_units(correlations: Tensor, hidden_size: int) -> tuple[UnitScore, ...]:
    """Return up to `BEST_UNITS` units per concept with a correlation other than 0, by its absolute value."""
    scores = [
        UnitScore(
            layer=number // hidden_size, unit=number % hidden_size, concept=concept, correlation=round(row[number], 3)
        )
        for concept, row in zip(CONCEPTS, correlations.tolist(), strict=True)
        for number in sorted(range(len(row)), key=lambda number: -abs(row[number]))[:BEST_UNITS]
    ]
    scores = [score for score in scores if score.correlation != 0]
    return tuple(sorted(scores, key=lambda score: -abs(score.correlation)))


def _labels(vocab: Vocab, tweets: EncodedTweets, indices: Indices) -> Labels:
    """Return the labels of the tweets at `indices`, padded with zeros, (T, B, concepts)."""
    labels = np.zeros((int(tweets.lengths[indices].max()), len(indices), len(CONCEPTS)))
    for row, index in enumerate(indices.tolist()):
        token_ids = tweets.token_ids[tweets.offsets[index] : tweets.offsets[index + 1]].tolist()
        of_tweet = label("".join(LOST if token_id == UNK else vocab.itos[token_id] for token_id in token_ids))
        labels[: len(token_ids), row] = of_tweet.T
    return labels


def label(text: str) -> Labels:
    """Return the label of each concept at each character, (concepts, T), in the order of `CONCEPTS`."""
    return np.array([rule(text) for rule in _RULES.values()], dtype=np.float64).reshape(len(CONCEPTS), len(text))


def _spans(pattern: re.Pattern[str]) -> Callable[[str], Labels]:
    """Return the rule that is true within every match of `pattern`."""
    return lambda text: _within(text, (match.span() for match in pattern.finditer(text)))


def _within(text: str, spans: Iterable[tuple[int, int]]) -> Labels:
    """Return 1 from each start to before its end, else 0."""
    labels = np.zeros(len(text))
    for start, end in spans:
        labels[start:end] = 1
    return labels


def _quotes_and_brackets(text: str) -> Labels:
    """Return 1 from each opening mark to before its closing mark; a mark without its partner has no effect."""
    spans = []
    openings: list[int] = []
    for place, char in enumerate(text):
        closed = next((start for start in reversed(openings) if _PAIRS[text[start]] == char), None)
        if closed is not None:
            spans.append((closed, place))
            del openings[openings.index(closed) :]
        elif char in _PAIRS:
            openings.append(place)
    return _within(text, spans)


def _upper_case(text: str) -> Labels:
    """Return 1 in every run of at least `_MIN_UPPER_CASE` capitals."""
    runs = re.finditer("1+", "".join(str(int(char.isupper())) for char in text))
    return _within(text, (run.span() for run in runs if len(run.group()) >= _MIN_UPPER_CASE))


def _vowel_next(text: str) -> Labels:
    """Return 1 where the next character is a Latin vowel, with or without an accent."""
    following = (unicodedata.normalize("NFD", char)[0].lower() for char in text[1:])
    return np.array([*(letter in "aeiou" for letter in following), *[False] * bool(text)], dtype=np.float64)


_RULES: dict[str, Callable[[str], Labels]] = {
    "in an @name": _spans(_NAME),
    "in a link": _spans(_LINK),
    "in a hashtag": _spans(_HASHTAG),
    "after a space": lambda text: np.array([char == " " for char in text], dtype=np.float64),
    "position": lambda text: np.arange(len(text), dtype=np.float64),
    "inside quotes or brackets": _quotes_and_brackets,
    "in an upper-case stretch": _upper_case,
    "vowel next": _vowel_next,
}
CONCEPTS = tuple(_RULES)
"""Names, as they are shown."""


# The map of the characters --------------------------------------------------------------------------------------------

MAX_POINTS = 200
NUM_COMPONENTS = 2
_TINY = torch.finfo(torch.float64).tiny


class EmbeddingMap(NamedTuple):
    """The places of all characters."""

    points: Tensor  # (characters, 2)
    variance_shares: Tensor  # (2,)


def map_chars(model: Snapshot, _command: MapEmbeddings) -> CooperativeTask[dict[str, Any]]:
    """Return the fields of `EmbeddingsMapped`."""
    yield
    points, variance_shares = map_embeddings(model.gru.embedding)
    chars = model.vocab.chars
    axes = (rounded(axis, FINE_DIGITS) for axis in points[:MAX_POINTS].t())
    return {
        "points": tuple(
            CharPoint(char=sanitize_char(char), x=x, y=y) for char, x, y in zip(chars[:MAX_POINTS], *axes, strict=True)
        ),
        "variance_shares": tuple(rounded(variance_shares)),
        "num_chars": len(chars),
    }


def map_embeddings(embedding: Tensor) -> EmbeddingMap:
    """Return the map of an embedding matrix (V, E) without its special symbols.

    The components are the first right singular vectors of the centred matrix; decomposing it takes a tenth of the time
    of its covariance where characters are fewer than dimensions. Each has the sign that puts the frequent characters,
    weighted by 1 / rank, on the positive side: their side seldom changes while a model trains, so the map is not
    mirrored from one step to the next. Where a component has no variance, all points are at 0. Raises `DivergedError`
    on non-finite embeddings.
    """
    chars = embedding[len(SPECIALS) :].double()  # (characters, E)
    require_finite(chars)
    left, sizes, _ = torch.linalg.svd(chars - chars.mean(dim=0), full_matrices=False)  # (characters, K), (K,)
    along = (left * sizes)[:, :NUM_COMPONENTS]
    weights = 1 / torch.arange(1, len(chars) + 1).double()  # most frequent first
    along = torch.where(weights @ along >= 0, along, -along)
    shares = sizes.square() / sizes.square().sum().clamp(min=_TINY)
    padding = max(NUM_COMPONENTS - len(sizes), 0)
    return EmbeddingMap(F.pad(along, (0, padding)), F.pad(shares[:NUM_COMPONENTS], (0, padding)))
