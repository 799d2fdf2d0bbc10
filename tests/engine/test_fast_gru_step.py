"""The fast path gives what autograd gives: loss, every gradient, whole runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call

from engine.corpus.encoded import Batch
from engine.fast.gru_step import GruStep
from engine.fast.packing import PackedBatch
from engine.gru import TextGenerator
from engine.vocab import PAD
from tests.engine.fast_batches import Shape, random_batch, shapes

SOME = Shape(lengths=[3, 9, 1, 9, 6], vocab_size=20, embedding_size=5, hidden_size=7, num_layers=2, seed=3)


def grads_of(model: TextGenerator) -> dict[str, Tensor]:
    """Take the gradients of all parameters away."""
    grads = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        grads[name] = parameter.grad.clone()
        parameter.grad = None
    return grads


def by_autograd(
    model: TextGenerator, batch: Batch, masks: list[Tensor] | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return loss and gradients of the reference; `masks` (B, T, H) replace its own dropout."""
    states = model.embed(torch.from_numpy(batch.inputs))
    if masks is None:
        states, _ = model.rnn(states)
    for number, mask in enumerate(masks or []):
        layer = torch.nn.GRU(states.shape[2], model.rnn.hidden_size, batch_first=True).double()
        weights = {name: getattr(model.rnn, name[:-1] + str(number)) for name, _ in layer.named_parameters()}
        states = functional_call(layer, weights, (states,))[0] * mask
    logits = model.proj(states)
    loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten(), ignore_index=PAD)
    torch.autograd.backward(loss)
    return loss.detach(), grads_of(model)


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, grad in expected.items():
        assert torch.allclose(found[name], grad, rtol=tolerance, atol=tolerance), name


@given(shape=shapes())
@settings(deadline=None, max_examples=50)
def test_loss_and_all_gradients_agree_with_autograd(shape: Shape) -> None:
    model, batch = shape.model(), shape.batch()
    expected_loss, expected = by_autograd(model, batch)

    loss = GruStep(model).loss_and_grads(batch)

    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-10)
    assert_close(grads_of(model), expected, 1e-10)


def unpacked(mask: Tensor, batch: Batch) -> Tensor:
    """Return a mask (N, H) as (B, T, H)."""
    packed = PackedBatch.from_batch(batch)
    padded = torch.zeros(*batch.inputs.shape, mask.shape[1], dtype=mask.dtype)
    for step, rows in enumerate(mask.split_with_sizes(packed.row_counts)):
        padded[packed.order[: len(rows)], step] = rows
    return padded


@given(shape=shapes(), dropout=st.sampled_from([0.1, 0.5, 0.9]))
@settings(deadline=None, max_examples=30)
def test_with_dropout_all_gradients_agree_with_autograd_under_the_same_masks(shape: Shape, dropout: float) -> None:
    model, batch = shape.model(dropout), shape.batch()
    step = GruStep(model)

    loss = step.loss_and_grads(batch)

    found = grads_of(model)
    masks = [unpacked(place.mask, batch) for place in step.dropouts if place.mask is not None]
    assert len(masks) == shape.num_layers
    expected_loss, expected = by_autograd(model, batch, masks=masks)
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-10)
    assert_close(found, expected, 1e-10)


def test_dropout_drops_its_share_and_scales_up_the_rest_so_that_the_mean_stays() -> None:
    shape = replace(SOME, lengths=[60] * 20, hidden_size=16, num_layers=1)
    step = GruStep(shape.model(dropout=0.2))

    step.loss_and_grads(shape.batch())

    mask = step.dropouts[0].mask
    assert mask is not None
    assert set(mask.flatten().tolist()) == {0.0, 1.25}
    assert mask.mean().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_in_float32_loss_and_gradients_agree_within_its_rounding(num_layers: int) -> None:
    torch.manual_seed(0)
    model = TextGenerator(60, 32, 48, num_layers)
    batch = random_batch(list(range(20, 52)), vocab_size=60)
    expected_loss, expected = by_autograd(model, batch)

    loss = GruStep(model).loss_and_grads(batch)

    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-6)
    assert_close(grads_of(model), expected, 1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_weight_that_is_not_a_number_is_seen_in_loss_and_gradient(precision: str) -> None:
    for name in ("rnn.weight_hh_l0", "rnn.weight_ih_l1", "embed.weight", "proj.bias"):
        model = SOME.model().float()
        with torch.no_grad():
            model.get_parameter(name).view(-1)[-1] = torch.nan

        loss = GruStep(model, precision).loss_and_grads(random_batch([SOME.vocab_size] * 8, SOME.vocab_size))

        assert loss.isnan(), name
        assert grads_of(model)["embed.weight"].isnan().any(), name


def test_gates_that_are_wide_open_or_shut_stay_finite() -> None:
    model = SOME.model().float()
    with torch.no_grad():
        model.get_parameter("rnn.bias_ih_l0").copy_(torch.tensor([1e4, -1e4, 90.0, -90.0, 0.0, 1e30, -1e30] * 3))
    batch = SOME.batch()
    expected_loss, expected = by_autograd(model, batch)

    loss = GruStep(model).loss_and_grads(batch)

    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-5)
    assert_close(grads_of(model), expected, 1e-5)


def test_memory_that_other_batches_have_used_changes_nothing() -> None:
    model = SOME.model()
    batches = [random_batch(lengths, SOME.vocab_size) for lengths in ([4, 2], [9, 9, 9, 8, 8, 1], [1], [4, 2])]
    used = GruStep(model)

    for batch in batches:
        loss, grads = used.loss_and_grads(batch), grads_of(model)
        fresh_loss, fresh = GruStep(model).loss_and_grads(batch), grads_of(model)

        assert torch.equal(loss, fresh_loss)
        assert all(torch.equal(grads[name], fresh[name]) for name in fresh)
