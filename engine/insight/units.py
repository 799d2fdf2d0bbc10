"""Which hidden units track which concepts: correlations over many tweets.

The Pearson correlation of every unit's state with every concept's label, over all characters. Sums are kept in float64,
of differences from the first character's values, so that a constant has a variance of exactly 0.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.corpus.arrays import EncodedTweets
from engine.insight.concepts import CONCEPTS, Labels, label
from engine.insight.explicit_gru import ExplicitGru
from engine.insight.trace import require_finite
from engine.model.vocab import UNK, Vocab
from engine.progress import Pieces
from engine.protocol.insight import UnitScore
from engine.text import LOST

Indices: TypeAlias = npt.NDArray[np.int64]
MAX_TWEETS = 500
"""Some 37,000 characters of ordinary tweets: the standard error of a correlation is then below 0.01, the last digit
shown, and there are dozens of links and hashtags. The work grows with their number."""
BEST_UNITS = 8
"""Per concept."""
_BATCH_TWEETS = 32


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


def correlate(gru: ExplicitGru, vocab: Vocab, tweets: EncodedTweets, chosen: Indices) -> Pieces[Correlation]:
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
        projected = gru.add_ngrams(table[inputs[:, 0]], rows[..., 0])  # (B, 3H)
        states = gru.step(projected, gru.initial_states(len(inputs)))
        yield
        for place, num_rows in enumerate(num_unfinished):
            projected = gru.add_ngrams(table[inputs[:num_rows, place + 1]], rows[:, :num_rows, place + 1])
            states = gru.step(projected, [state[:num_rows] for state in states])
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
