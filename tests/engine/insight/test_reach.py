"""Reach equals brute force: a forward pass of PyTorch's GRU per replaced input, and its autograd."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.errors import DivergedError
from engine.insight.explicit_gru import ExplicitGru
from engine.insight.reach import gradient, mean_embedding, occlusion
from engine.model.gru import TextGenerator, run_gru
from engine.model.vocab import BOS, EOS
from engine.pieces import Pieces, run_to_end
from tests.engine.insight.models import IDS, MODELS, TEXT, VOCAB, largest_difference, models, small_model

NO_ID = 10_000
"""A token id that is in no context."""
positions = pytest.mark.parametrize("position", [0, 1, 9, len(TEXT)])


def embedded_before(model: TextGenerator, position: int) -> Tensor:
    """Return the embeddings of the inputs before the target at `position`, (P + 1, E)."""
    return model.embed.weight[[BOS, *IDS[:position]]]


def log_probs_of(model: TextGenerator, embedded: Tensor, ids: list[int], replaced: int | None = None) -> Tensor:
    """Return the last log-probabilities, (V,), after inputs with these embeddings, by `nn.GRU`.

    The contexts of the n-gram input are those of `ids` after `BOS`; none has the replaced input.
    """
    inputs = [NO_ID if place == replaced else each for place, each in enumerate([BOS, *ids])]
    assert model.ngram_input is not None
    widened = torch.cat([embedded[None], model.ngram_input(torch.tensor([inputs]))], dim=-1)
    hidden = torch.zeros(model.rnn.num_layers, 1, model.rnn.hidden_size)
    output, _ = run_gru(model.rnn, widened, hidden, batch_first=True)
    log_probs: Tensor = model.proj(output[0, -1]).log_softmax(dim=-1)
    return log_probs


def bits_of(model: TextGenerator, embedded: Tensor, position: int, replaced: int | None = None) -> Tensor:
    """Return the bits of the target at `position` after inputs with these embeddings."""
    log_probs = log_probs_of(model, embedded, IDS[:position], replaced)
    return -log_probs[[*IDS, EOS][position]] / math.log(2)


@models
@positions
def test_occlusion_equals_one_forward_pass_per_replaced_input(model: TextGenerator, position: int) -> None:
    embedded = embedded_before(model, position)
    expected = []
    for place in range(position + 1):
        changed = embedded.clone()
        changed[place] = model.embed.weight[4:].mean(dim=0)
        expected.append(bits_of(model, changed, position, place) - bits_of(model, embedded, position))
    found = run_to_end(occlusion(ExplicitGru(model), IDS, position))
    assert largest_difference(found, torch.stack(expected)) < 1e-4


@models
@positions
def test_the_gradient_equals_autograd(model: TextGenerator, position: int) -> None:
    embedded = embedded_before(model, position).clone().requires_grad_()
    [expected] = torch.autograd.grad(bits_of(model, embedded, position), embedded)
    found = run_to_end(gradient(ExplicitGru(model), IDS, position))
    assert largest_difference(found, expected.norm(dim=1)) < 1e-5 * float(expected.abs().max() + 1)


def test_a_position_far_into_the_text_is_measured_in_several_batches() -> None:
    text = VOCAB.encode((TEXT * 9)[:150])
    model, embedded = MODELS[1], MODELS[1].embed.weight[[BOS, *text]]
    mean = model.embed.weight[4:].mean(dim=0)
    expected = []
    for place in range(len(embedded)):
        changed = embedded.clone()
        changed[place] = mean
        expected.append(-log_probs_of(model, changed, text, place)[EOS] / math.log(2))
    found = run_to_end(occlusion(ExplicitGru(model), text, len(text)))
    assert (
        largest_difference(found, torch.stack(expected) + log_probs_of(model, embedded, text)[EOS] / math.log(2)) < 1e-4
    )


def test_the_mean_embedding_is_that_of_the_characters_alone() -> None:
    model = small_model(1)
    model.embed.weight[:4] = 1e6
    expected = torch.stack([model.embed.weight[VOCAB.stoi[char]] for char in VOCAB.chars]).mean(dim=0)
    assert largest_difference(mean_embedding(ExplicitGru(model)), expected) < 1e-5


@pytest.mark.parametrize("method", [occlusion, gradient])
def test_a_non_finite_model_raises(method: Callable[[ExplicitGru, list[int], int], Pieces[Tensor]]) -> None:
    model = small_model(1)
    model.proj.bias[EOS] = math.inf
    with pytest.raises(DivergedError):
        run_to_end(method(ExplicitGru(model), IDS, 3))
