"""The scores of units are Pearson correlations over all characters with concepts, each true where its rule says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given

from engine.errors import DivergedError
from engine.insight.concepts import CONCEPTS, label
from engine.insight.explicit_gru import ExplicitGru
from engine.insight.trace import trace
from engine.insight.units import BEST_UNITS, MAX_TWEETS, Correlation, best_units, correlate, some_tweets
from engine.pieces import run_to_end
from tests.engine.helpers import encoded_with, small_tweets
from tests.engine.insight.models import VOCAB, small_model
from tests.strategies import hostile_text

TWEETS = ["I", "say (HI ☃) @mia_k!", *small_tweets(70)]
ENCODED = encoded_with(VOCAB, TWEETS)
ALL = np.arange(len(TWEETS))


def test_correlations_equal_numpys_over_the_traces_of_all_tweets() -> None:
    model = small_model(2)
    labels, states = [], []
    for text in TWEETS:
        traced = run_to_end(trace(ExplicitGru(model), VOCAB.encode(text)))
        labels.append(label("".join(char if char in VOCAB.stoi else "\ufffd" for char in text)))
        states.append(torch.cat([layer.hidden[2:] for layer in traced.layers], dim=1).numpy().T)
    rows = np.concatenate([np.concatenate(labels, axis=1), np.concatenate(states, axis=1)])
    varies = rows.std(axis=1) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.corrcoef(rows)[: len(CONCEPTS), len(CONCEPTS) :]
    found = run_to_end(correlate(ExplicitGru(model), VOCAB, ENCODED, ALL))
    assert found.count == rows.shape[1] == sum(map(len, TWEETS))
    assert not varies.all()
    assert np.allclose(found.result().numpy(), np.where(varies[: len(CONCEPTS), None], expected, 0), atol=1e-5)


def test_a_constant_unit_or_concept_has_a_correlation_of_zero() -> None:
    generator = torch.Generator().manual_seed(1)
    labels, units = torch.randn(50, 3, generator=generator), torch.randn(50, 4, generator=generator)
    labels[:, 1], units[:, 2] = 0.1, -0.7
    correlation = Correlation(3, 4)
    for part in range(0, 50, 7):
        correlation.add(labels[part : part + 7], units[part : part + 7])
    found = correlation.result()
    assert found[1].tolist() == [0] * 4
    assert found[:, 2].tolist() == [0] * 3
    assert found[[0, 2]][:, [0, 1, 3]].abs().min() > 0


def test_equal_and_opposite_series_have_correlations_of_one_and_minus_one() -> None:
    series = torch.tensor([[0.0], [1], [1], [0], [1]])
    correlation = Correlation(1, 2)
    correlation.add(series, torch.cat([series * 1e-3 + 5, 1 - series], dim=1))
    assert correlation.result()[0].tolist() == pytest.approx([1, -1], abs=1e-6)


def test_without_characters_all_correlations_are_zero() -> None:
    assert Correlation(2, 3).result().tolist() == [[0, 0, 0]] * 2


def test_the_best_units_of_each_concept_are_in_the_order_of_their_absolute_correlation() -> None:
    correlations = torch.zeros(len(CONCEPTS), 20)
    correlations[2] = torch.linspace(-0.9, 0.5, 20)
    correlations[4, 13] = -0.6
    correlations[5, 1] = 0.0001
    found = best_units(correlations, hidden_size=10)
    largest = sorted(correlations[2].tolist(), key=abs, reverse=True)[:BEST_UNITS]
    of_concept = [score.correlation for score in found if score.concept == CONCEPTS[2]]
    assert of_concept == pytest.approx(largest, abs=1e-3)
    [one] = [score for score in found if score.concept == CONCEPTS[4]]
    assert (one.layer, one.unit, one.correlation) == (1, 3, -0.6)
    assert {score.concept for score in found} == {CONCEPTS[2], CONCEPTS[4]}
    sizes = [abs(score.correlation) for score in found]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("count", "num_chosen"), [(0, 0), (1, 1), (30, 30), (5000, MAX_TWEETS)])
def test_chosen_tweets_are_distinct_and_spread_over_all(count: int, num_chosen: int) -> None:
    chosen = some_tweets(count).tolist()
    assert len(set(chosen)) == num_chosen
    assert chosen[:1] == [0][:count]
    assert chosen[-1:] == [count - 1][:count]


def test_a_non_finite_model_raises() -> None:
    model = small_model(2)
    model.get_parameter("rnn.weight_hh_l1")[0, 0] = math.nan
    with pytest.raises(DivergedError):
        run_to_end(correlate(ExplicitGru(model), VOCAB, ENCODED, ALL)).result()


@pytest.mark.parametrize(
    ("concept", "text", "marks"),
    [
        ("in an @name", "hi @mia_k! @ me@home @a", "...@@@@@@............@@"),
        ("in a link", "see http://t.co/a1, HTTPS://b www.c.de", "....lllllllllllllll.lllllllll.llllllll"),
        ("in a hashtag", "#one two#three # #4", "####..............."),
        ("after a space", " a b  c", "s.s.ss."),
        ("inside quotes or brackets", 'a "bc" (d [e] f) :) (g', "..qqq..qqqqqqqq......."),
        ("inside quotes or brackets", '“a” «b» ) ( " {c}', "qq..qq........qq."),
        ("in an upper-case stretch", "A BIG Dog SAYS HI, I", "..uuu.....uuuu.uu..."),
        ("in an upper-case stretch", "ÄÖ1B", "uu.."),
        ("vowel next", "Tea Éé y", "vv.vv..."),
        ("vowel next", "a", "."),
    ],
)
def test_a_concept_is_true_at_these_characters(concept: str, text: str, marks: str) -> None:
    expected = [0.0 if mark == "." else 1.0 for mark in marks.ljust(len(text), ".")]
    assert label(text)[CONCEPTS.index(concept)].tolist() == expected


@given(text=hostile_text())
def test_any_text_has_a_finite_label_per_concept_and_character(text: str) -> None:
    labels = label(text)
    assert labels.shape == (len(CONCEPTS), len(text))
    assert np.isfinite(labels).all()
    assert labels[CONCEPTS.index("position")].tolist() == [*range(len(text))]
