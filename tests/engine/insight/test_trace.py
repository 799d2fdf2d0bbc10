"""The explicit formulas give the numbers of PyTorch's own GRU, and bands and summaries of gates are their means."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from engine.errors import DivergedError
from engine.insight.explicit_gru import ExplicitGru
from engine.insight.pooling import GATE_BANDS, STATE_BANDS, bands, by_mean
from engine.insight.trace import sequence_loss, trace
from engine.insight.trace_fields import char_gates, layer_fields
from engine.model.gru import TextGenerator, run_gru
from engine.model.ngram_input import widened_weight
from engine.model.vocab import BOS, EOS, UNK
from engine.pieces import run_to_end
from engine.sampling.stepper import HeldUnit
from tests.engine.insight.models import IDS, MODELS, largest_difference, models, small_model


def widened_inputs(model: TextGenerator) -> Tensor:
    """Return embedding and n-gram input of the text, (T + 1, E + H)."""
    inputs = torch.tensor([[BOS, *IDS]])
    assert model.ngram_input is not None
    return torch.cat([model.embed(inputs), model.ngram_input(inputs)], dim=-1)[0]


def cell_of(model: TextGenerator, number: int) -> nn.GRUCell:
    """Return layer `number` as PyTorch's cell; the first has `widened_inputs`."""
    weights = {
        name: getattr(model.rnn, f"{name}_l{number}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    if number == 0:
        weights["weight_ih"] = widened_weight(weights["weight_ih"])
    cell = nn.GRUCell(weights["weight_ih"].shape[1], model.rnn.hidden_size)
    cell.load_state_dict(weights)
    return cell


@models
def test_hidden_states_and_logits_equal_those_of_the_module(model: TextGenerator) -> None:
    traced = run_to_end(trace(ExplicitGru(model), IDS))
    inputs = torch.tensor([[BOS, *IDS]])
    output, last = run_gru(
        model.rnn, widened_inputs(model)[None], torch.zeros(model.rnn.num_layers, 1, 8), batch_first=True
    )
    assert traced.inputs == (BOS, *IDS)
    assert UNK in traced.inputs
    assert largest_difference(traced.embedded, model.embed(inputs)[0]) == 0
    assert largest_difference(traced.layers[-1].hidden[1:], output[0]) < 1e-5
    assert largest_difference(torch.stack([layer.hidden[-1] for layer in traced.layers]), last[:, 0]) < 1e-5
    assert largest_difference(traced.log_probs, model(inputs)[0][0].log_softmax(dim=-1)) < 1e-5


@models
def test_gates_equal_those_of_pytorchs_cell(model: TextGenerator) -> None:
    inputs = widened_inputs(model)
    for number, layer in enumerate(run_to_end(trace(ExplicitGru(model), IDS)).layers):
        cell = cell_of(model, number)
        with torch.no_grad():
            from_input = F.linear(inputs, cell.weight_ih, cell.bias_ih)
            from_state = F.linear(layer.hidden[:-1], cell.weight_hh, cell.bias_hh)
            after = cell(inputs, layer.hidden[:-1])
        input_r, input_z, input_n = from_input.chunk(3, dim=1)
        state_r, state_z, state_n = from_state.chunk(3, dim=1)
        reset, update = (input_r + state_r).sigmoid(), (input_z + state_z).sigmoid()
        assert largest_difference(layer.hidden[0], torch.zeros(model.rnn.hidden_size)) == 0
        assert largest_difference(layer.hidden[1:], after) < 1e-5
        assert largest_difference(layer.reset, reset) < 1e-5
        assert largest_difference(layer.update, update) < 1e-5
        assert largest_difference(layer.candidate, (input_n + reset * state_n).tanh()) < 1e-5
        assert largest_difference((1 - layer.update) * layer.candidate + layer.update * layer.hidden[:-1], after) < 1e-5
        inputs = after


@models
def test_the_loss_of_the_steps_is_the_loss_of_the_sequence_at_once(model: TextGenerator) -> None:
    traced = run_to_end(trace(ExplicitGru(model), IDS))
    assert traced.targets == (*IDS, EOS)
    assert math.isclose(traced.stepwise_loss, sequence_loss(model, IDS), abs_tol=1e-5)


def test_a_held_unit_has_its_value_after_every_step_and_the_rest_follows_from_it() -> None:
    model = small_model(2)
    held = HeldUnit(layer=0, unit=3, value=0.75)
    traced = run_to_end(trace(ExplicitGru(model), IDS, held))
    cells = [cell_of(model, number) for number in range(2)]
    states = torch.zeros(2, 8)
    with torch.no_grad():
        for place, inputs in enumerate(widened_inputs(model)):
            states[0] = cells[0](inputs, states[0])
            states[0, 3] = 0.75
            states[1] = cells[1](states[0], states[1])
            for number in range(2):
                assert largest_difference(traced.layers[number].hidden[place + 1], states[number]) < 1e-5


def test_the_trace_of_a_text_without_characters_predicts_its_end() -> None:
    traced = run_to_end(trace(ExplicitGru(MODELS[1]), []))
    assert (traced.inputs, traced.targets) == ((BOS,), (EOS,))
    assert len(traced.log_probs) == 1


def test_a_non_finite_model_raises() -> None:
    model = small_model(1)
    model.proj.bias[EOS] = math.nan
    with pytest.raises(DivergedError):
        run_to_end(trace(ExplicitGru(model), IDS))


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
    traced = run_to_end(trace(ExplicitGru(MODELS[1]), IDS))
    layer = traced.layers[1]
    order = sorted(range(8), key=lambda unit: float(layer.update[:, unit].mean()))
    fields = run_to_end(layer_fields(traced, 1))
    assert by_mean(layer.update).tolist() == order
    assert fields["reset_bands"] == bands(layer.reset[:, order], GATE_BANDS)
    assert fields["update_bands"] == bands(layer.update[:, order], GATE_BANDS)
    assert fields["candidate_bands"] == bands(layer.candidate[:, order], GATE_BANDS)
    assert fields["hidden_bands"] == bands(layer.hidden, STATE_BANDS)
    assert fields["embedding_bands"] == bands(traced.embedded, STATE_BANDS)
    assert np.diff(np.mean(fields["update_bands"], axis=0)).min() > -1e-3


@pytest.mark.parametrize("number", [0, 1])
def test_gate_summaries_count_units(number: int) -> None:
    layer = run_to_end(trace(ExplicitGru(MODELS[1]), IDS)).layers[number]
    reset, update, hidden = (tensor.numpy() for tensor in (layer.reset, layer.update, layer.hidden))
    found = char_gates(layer)
    assert len(found) == len(IDS) + 1
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
