"""Bands are means of neighbouring units; gate summaries are shares and means over all units of a layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.insight.explicit_gru import ExplicitGru
from engine.insight.pooling import GATE_BANDS, STATE_BANDS, bands, by_mean, rounded
from engine.insight.trace import trace
from engine.insight.trace_fields import char_gates, layer_fields
from engine.pieces import run_to_end
from tests.engine.insight.models import TEXT, VOCAB, small_model

TRACED = run_to_end(trace(ExplicitGru(small_model(2)), VOCAB.encode(TEXT)))


@pytest.mark.parametrize(
    ("num_units", "max_bands", "sizes"), [(6, 3, [2, 2, 2]), (7, 3, [3, 2, 2]), (2, 3, [1, 1]), (300, 1, [300])]
)
def test_a_band_is_the_mean_of_neighbouring_units(num_units: int, max_bands: int, sizes: list[int]) -> None:
    values = torch.randn(5, num_units, generator=torch.Generator().manual_seed(1))
    ends = np.cumsum(sizes)
    found = bands(values, max_bands)
    expected = [[float(row[end - size : end].mean()) for size, end in zip(sizes, ends, strict=True)] for row in values]
    assert np.allclose(found, expected, atol=6e-4)
    assert all(round(number, 3) == number for row in found for number in row)


def test_units_of_gates_are_sorted_by_their_mean_update_gate_and_states_are_not() -> None:
    layer = TRACED.layers[1]
    order = sorted(range(8), key=lambda unit: float(layer.update[:, unit].mean()))
    fields = run_to_end(layer_fields(TRACED, 1))
    assert by_mean(layer.update).tolist() == order
    assert fields["reset_bands"] == bands(layer.reset[:, order], GATE_BANDS)
    assert fields["update_bands"] == bands(layer.update[:, order], GATE_BANDS)
    assert fields["candidate_bands"] == bands(layer.candidate[:, order], GATE_BANDS)
    assert fields["hidden_bands"] == bands(layer.hidden, STATE_BANDS)
    assert fields["embedding_bands"] == bands(TRACED.embedded, STATE_BANDS)
    assert np.diff(np.mean(fields["update_bands"], axis=0)).min() > -1e-3


@pytest.mark.parametrize("number", [0, 1])
def test_gate_summaries_count_units(number: int) -> None:
    layer = TRACED.layers[number]
    reset, update, hidden = (tensor.numpy() for tensor in (layer.reset, layer.update, layer.hidden))
    found = char_gates(layer)
    assert len(found) == len(TEXT) + 1
    for place, gates in enumerate(found):
        r, z = reset[place], update[place]
        saturated = sum(gate < 0.1 or gate > 0.9 for gate in [*r, *z]) / 16
        change = np.sqrt(np.mean((hidden[place + 1] - hidden[place]) ** 2))
        assert (gates.reset_mean, gates.update_mean) == pytest.approx((r.mean(), z.mean()), abs=6e-4)
        assert gates.saturated_share == pytest.approx(saturated, abs=6e-4)
        assert (gates.copied_share, gates.rewritten_share) == pytest.approx(
            ((z > 0.9).mean(), (z < 0.1).mean()), abs=6e-4
        )
        assert gates.hidden_change == pytest.approx(change, abs=6e-4)


def test_numbers_are_rounded_to_the_digits_asked_for() -> None:
    assert rounded(torch.tensor([0.12345, -1.0])) == [0.123, -1.0]
    assert rounded(torch.tensor([0.1234567]), digits=5) == [0.12346]
