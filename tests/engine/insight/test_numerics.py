"""Traces and reach equal PyTorch's own GRU and its autograd, and scores of units are Pearson correlations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from hypothesis import given
from torch import Tensor, nn

from engine.compute.stepper import HeldUnit
from engine.insight import reach
from engine.insight.learned import (
    BEST_UNITS,
    CONCEPTS,
    MAX_TWEETS,
    Correlation,
    best_units,
    correlate,
    label,
    some_tweets,
)
from engine.insight.snapshot import ExplicitGru, frozen
from engine.insight.trace import (
    GATE_BANDS,
    STATE_BANDS,
    bands,
    by_mean,
    char_gates,
    layer_fields,
    sequence_loss,
    trace,
)
from engine.model.gru import TextGenerator, run_gru, widened_weight
from engine.model.vocab import BOS, EOS, UNK, Vocab
from engine.protocol.progress import run_to_end
from tests.engine.compute.cpu.random_batches import set_contexts, some_contexts
from tests.engine.helpers import encoded_with, small_tweets, vocab_of
from tests.strategies import hostile_text

VOCAB = vocab_of(small_tweets())
TEXT = "@mia_k hugs ☃ a red kite!"
IDS = VOCAB.encode(TEXT)


def small_model(num_layers: int = 2, vocab: Vocab = VOCAB, *, tied_embeddings: bool = False) -> TextGenerator:
    """Return the snapshot of a random model, with an n-gram input for every other context of `TEXT`."""
    generator_state = torch.get_rng_state()
    torch.manual_seed(5)
    embedding_size = 8 if tied_embeddings else 6
    contexts = some_contexts(np.array([[BOS, *vocab.encode(TEXT)]]))
    shape = len(vocab), embedding_size, 8, num_layers
    model = TextGenerator(*shape, dropout=0.3, tied_embeddings=tied_embeddings, ngram_contexts=len(contexts))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
        model.get_parameter("ngram_input.weight").normal_()
    set_contexts(model, contexts)
    torch.set_rng_state(generator_state)
    return frozen(model)


MODELS = [small_model(1), small_model(2), small_model(3), small_model(2, tied_embeddings=True)]
"""Tiny models, with weights large enough that gates open and close."""
models = pytest.mark.parametrize("model", MODELS, ids=["1 layer", "2 layers", "3 layers", "tied"])


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest absolute difference of two tensors of one shape."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max())


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
def test_predictions_loss_and_gates_equal_those_of_the_module_and_of_pytorchs_cell(model: TextGenerator) -> None:
    traced, ids = run_to_end(trace(ExplicitGru(model), IDS)), torch.tensor([[BOS, *IDS]])
    assert (traced.inputs, traced.targets) == ((BOS, *IDS), (*IDS, EOS))
    assert UNK in traced.inputs
    assert largest_difference(traced.embedded, model.embed(ids)[0]) == 0
    assert largest_difference(traced.log_probs, model(ids)[0][0].log_softmax(dim=-1)) < 1e-5
    assert math.isclose(traced.stepwise_loss, sequence_loss(model, IDS), abs_tol=1e-5)
    inputs = widened_inputs(model)
    for number, layer in enumerate(traced.layers):
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
        assert (gates.kept_share, gates.overwritten_share) == pytest.approx(
            ((z > 0.9).mean(), (z < 0.1).mean()), abs=6e-4
        )
        assert gates.hidden_change == pytest.approx(change, abs=6e-4)


# Reach ----------------------------------------------------------------------------------------------------------------

NO_ID = 10_000
"""A token id that is in no context."""


def bits_of(model: TextGenerator, embedded: Tensor, ids: list[int], target: int, replaced: int | None = None) -> Tensor:
    """Return the bits of `target` after inputs with these embeddings, (P + 1, E), by `nn.GRU`.

    The contexts of the n-gram input are those of `ids` after `BOS`; none has the replaced input.
    """
    inputs = [NO_ID if place == replaced else each for place, each in enumerate([BOS, *ids])]
    assert model.ngram_input is not None
    widened = torch.cat([embedded[None], model.ngram_input(torch.tensor([inputs]))], dim=-1)
    hidden = torch.zeros(model.rnn.num_layers, 1, model.rnn.hidden_size)
    output, _ = run_gru(model.rnn, widened, hidden, batch_first=True)
    bits: Tensor = -model.proj(output[0, -1]).log_softmax(dim=-1)[target] / math.log(2)
    return bits


@models
@pytest.mark.parametrize("position", [0, 1, 9, len(TEXT)])
def test_occlusion_equals_one_forward_pass_per_input_and_the_gradient_autograd(
    monkeypatch: pytest.MonkeyPatch, model: TextGenerator, position: int
) -> None:
    monkeypatch.setattr(reach, "_BATCH_ROWS", 8)  # the later positions are measured in several batches
    before, target = IDS[:position], [*IDS, EOS][position]
    embedded, occluded = model.embed.weight[[BOS, *before]].clone().requires_grad_(), list[Tensor]()
    bits = bits_of(model, embedded, before, target)
    for place in range(position + 1):
        changed = embedded.detach().clone()
        changed[place] = model.embed.weight[4:].mean(dim=0)
        occluded.append(bits_of(model, changed, before, target, place))
    found = run_to_end(reach.occlusion(ExplicitGru(model), IDS, position))
    assert largest_difference(found, torch.stack(occluded) - bits.detach()) < 1e-4
    [by_embedded] = torch.autograd.grad(bits, embedded)
    found = run_to_end(reach.gradient(ExplicitGru(model), IDS, position))
    assert largest_difference(found, by_embedded.norm(dim=1)) < 1e-5 * float(by_embedded.abs().max() + 1)


# Units ----------------------------------------------------------------------------------------------------------------

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


def test_constant_series_have_a_correlation_of_zero_and_so_have_all_without_characters() -> None:
    labels, units = torch.randn(50, 2, generator=torch.Generator().manual_seed(1)), torch.full((50, 4), -0.7)
    labels[:, 1] = 0.1
    units[:, 1:3] = torch.stack([labels[:, 0] * 1e-3 + 5, 1 - labels[:, 0]], dim=1)
    correlation = Correlation(2, 4)
    assert correlation.result().tolist() == [[0.0] * 4] * 2
    for part in range(0, 50, 7):
        correlation.add(labels[part : part + 7], units[part : part + 7])
    found = correlation.result().tolist()
    assert found[0][1:3] == pytest.approx([1, -1], abs=1e-6)
    assert [found[0][0], found[0][3], *found[1]] == [0.0] * 6


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
