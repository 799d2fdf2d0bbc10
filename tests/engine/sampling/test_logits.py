"""Temperature, truncation and drawing of the next character, as pure functions."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from engine.config.sampling import SamplingConfig
from engine.model.vocab import BOS, PAD, UNK
from engine.sampling.logits import NEVER_SAMPLED, Floats, draw, next_char_weights

NEARLY_ONE = 1.0 - 2.0**-53
"""The largest possible uniform number."""


def logits() -> SearchStrategy[list[float]]:
    """Generate logits for the four special symbols and at least one character."""
    return st.lists(st.floats(-40, 40, width=32), min_size=5, max_size=24)


def row(values: list[float]) -> Floats:
    """Return logits (1, V), float32."""
    return np.array([values], dtype=np.float32)


def probabilities(values: list[float], temperature: float = 1.0, **settings: float) -> Floats:
    """Return the distribution (V,) of one row."""
    sampling = SamplingConfig(temperature=temperature, **settings)  # type: ignore[arg-type] # numbers by name
    [weights] = next_char_weights(row(values), sampling, np.array([[temperature]], dtype=np.float32))
    result: Floats = weights / weights.sum()
    return result


def softmax(values: list[float], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Return the softmax (V,) over all ids that may be sampled, computed independently."""
    scaled = np.array(values) / temperature
    weights = np.exp(scaled - scaled.max())
    weights[list(NEVER_SAMPLED)] = 0.0
    chances: npt.NDArray[np.float64] = weights / weights.sum()
    return chances


@given(
    values=logits(),
    temperature=st.just(0.0) | st.floats(0.05, 5),
    top_k=st.integers(0, 30),
    top_p=st.floats(0.001, 1),
    min_p=st.floats(0, 0.999),
)
def test_probabilities_sum_to_one_and_are_zero_for_special_symbols(
    values: list[float], temperature: float, top_k: int, top_p: float, min_p: float
) -> None:
    result = probabilities(values, temperature, top_k=top_k, top_p=top_p, min_p=min_p)

    assert float(result.sum()) == pytest.approx(1.0, abs=1e-5)
    assert (result >= 0).all()
    assert result[[PAD, BOS, UNK]].tolist() == [0.0, 0.0, 0.0]


@given(values=logits(), temperature=st.floats(0.3, 5))
def test_without_truncation_it_is_the_softmax_at_that_temperature_in_any_order_and_greedy_at_0(
    values: list[float], temperature: float
) -> None:
    result = probabilities(values, temperature)
    [allowed] = row(values)
    allowed[list(NEVER_SAMPLED)] = -math.inf

    assert np.allclose(result, softmax(values, temperature), atol=1e-5)
    assert result.tolist() == probabilities(values, temperature, temperature_last=True).tolist()
    for is_last in (False, True):
        greedy = probabilities(values, 0.0, temperature_last=is_last)
        assert greedy.tolist() == np.eye(len(values))[allowed.argmax()].tolist()


@given(values=logits(), top_k=st.integers(1, 30))
def test_top_k_keeps_the_k_most_likely_and_their_proportions(values: list[float], top_k: int) -> None:
    before, after = probabilities(values), probabilities(values, top_k=top_k)
    kept = after > 0

    possible = before[before > 0].tolist()
    is_tied = len(set(possible)) < len(possible)
    assert int(kept.sum()) >= min(top_k, len(possible))
    assert is_tied or int(kept.sum()) == min(top_k, len(possible))
    assert (before[~kept] <= before[kept].min()).all()
    assert np.allclose(after[kept], before[kept] / before[kept].sum(), atol=1e-5)


@given(values=logits(), top_p=st.floats(0.001, 0.999))
def test_top_p_keeps_the_smallest_set_of_total_probability_p(values: list[float], top_p: float) -> None:
    before, after = probabilities(values).astype(np.float64), probabilities(values, top_p=top_p)
    kept = after > 0

    assert (before[~kept] <= before[kept].min()).all()
    assert float(before[kept].sum()) >= top_p - 1e-5
    assert float(before[kept].sum() - before[kept].min()) < top_p + 1e-5
    assert np.allclose(after[kept], before[kept] / before[kept].sum(), atol=1e-5)


@given(values=logits(), min_p=st.floats(0.001, 0.999))
def test_min_p_keeps_what_is_likely_enough_relative_to_the_most_likely(values: list[float], min_p: float) -> None:
    before, after = probabilities(values), probabilities(values, min_p=min_p)
    share = before / before.max()

    assert (after[share > min_p + 1e-5] > 0).all()
    assert (after[share < min_p - 1e-5] == 0).all()


def test_top_k_comes_before_top_p_and_top_p_before_min_p() -> None:
    chances = [0.4, 0.3, 0.2, 0.1]
    values = [0.0, 0.0, -math.inf, 0.0, *map(math.log, chances)]

    # top-k leaves 4/7 and 3/7, of which the first alone is more than half
    assert np.count_nonzero(probabilities(values, top_k=2, top_p=0.5)) == 1
    assert np.count_nonzero(probabilities(values, top_p=0.5)) == 2
    # min-p is relative to the most likely, after top-p
    assert np.count_nonzero(probabilities(values, top_p=0.75, min_p=0.7)) == 2
    # and to a high temperature, unless that comes last
    assert np.count_nonzero(probabilities(values, 4.0, min_p=0.6)) == 4
    assert np.count_nonzero(probabilities(values, 4.0, min_p=0.6, temperature_last=True)) == 2


@given(values=logits(), temperature=st.floats(1, 5), min_p=st.floats(0.001, 0.999))
def test_with_the_temperature_last_min_p_keeps_exactly_what_it_keeps_at_temperature_1(
    values: list[float], temperature: float, min_p: float
) -> None:
    plain = probabilities(values, min_p=min_p)

    last = probabilities(values, temperature, min_p=min_p, temperature_last=True)

    assert ((last > 0) == (plain > 0)).all()
    at_temperature = softmax(values, temperature) * (plain > 0)
    assert np.allclose(last, at_temperature / at_temperature.sum(), atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_an_id_is_drawn_where_the_cumulative_probability_passes_the_uniform_number(factor: float) -> None:
    weights = factor * row([0.0, 0.25, 0.0, 0.5, 0.25]).repeat(7, axis=0)
    uniforms = np.array([0.0, 0.2499, 0.25, 0.5, 0.7499, 0.75, NEARLY_ONE])

    assert draw(weights, uniforms).tolist() == [1, 1, 3, 3, 3, 4, 4]
