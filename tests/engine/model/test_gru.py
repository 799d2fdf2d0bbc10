"""The model is the tutorial's, with the same parameter names and outputs; plus dropout and tied embeddings."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from engine.model.gru import TextGenerator
from engine.sampling.tutorial_loop import TutorialGenerator

V, E, H = 12, 5, 7


def test_the_tutorials_weights_load_into_ours_and_give_the_same_logits() -> None:
    theirs, ours = TutorialGenerator(V, E, H), TextGenerator(V, E, H)
    inp = torch.randint(0, V, (3, 9))
    assert not torch.equal(ours(inp)[0], theirs(inp)[0])

    ours.load_state_dict(theirs.state_dict())

    for our_output, their_output in zip(ours(inp), theirs(inp), strict=True):
        assert torch.equal(our_output, their_output)


def test_dropout_with_one_layer_acts_before_the_projection_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = TextGenerator(V, E, H, num_layers=1, dropout=0.5)
    inp = torch.randint(0, V, (3, 9))

    (one, hidden_one), (two, hidden_two) = model(inp), model(inp)

    assert not torch.equal(one, two)
    assert torch.equal(hidden_one, hidden_two)


def test_the_loss_of_a_new_model_is_near_the_logarithm_of_the_vocabulary_size() -> None:
    inp, target = torch.randint(0, 80, (2, 16, 50))
    logits, _ = TextGenerator(80, 32, 64)(inp)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
    assert loss.item() == pytest.approx(math.log(80), abs=0.1)


def test_tied_embeddings_share_one_matrix_with_a_small_initial_scale() -> None:
    model = TextGenerator(200, 64, 64, tied_embeddings=True)
    assert model.proj.weight is model.embed.weight
    assert float(model.proj.weight.detach().std()) == pytest.approx(64**-0.5, rel=0.05)
    assert model.num_parameters == TextGenerator(200, 64, 64).num_parameters - 200 * 64
