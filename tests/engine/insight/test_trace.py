"""The explicit formulas give the numbers of PyTorch's own GRU."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from engine.errors import DivergedError
from engine.insight.explicit_gru import ExplicitGru
from engine.insight.trace import sequence_loss, trace
from engine.model.gru import TextGenerator, run_gru
from engine.model.ngram_input import widened_weight
from engine.model.vocab import BOS, EOS, UNK
from engine.pieces import run_to_end
from engine.sampling.stepper import HeldUnit
from tests.engine.insight.models import TEXT, VOCAB, largest_difference, small_model

IDS = VOCAB.encode(TEXT)
MODELS = [small_model(1), small_model(2), small_model(3), small_model(2, tied_embeddings=True)]
models = pytest.mark.parametrize("model", MODELS, ids=["1 layer", "2 layers", "3 layers", "tied"])


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
