"""`GruStep` gives the loss and gradients of autograd; in bfloat16 within its rounding, over whole runs and threads too.

bfloat16 has 8 significant bits, a relative error of at most 1/256. Its gradients are compared by the norm of the
difference of all of them, since a single small number may be all rounding error. The random shapes of the Hypothesis
test are tiny and have large weights, where the error is largest.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call

from engine.compute.cpu.packed_batch import PackedBatch, padded_num_rows
from engine.compute.cpu.step import GruStep, ThreadedStep, one_torch_thread
from engine.config.run import TrainingConfig
from engine.corpus.arrays import Batch
from engine.model.gru import NO_ROW, TextGenerator, widened_weight
from engine.model.vocab import PAD
from engine.training.trainer import Trainer
from tests.engine.compute.cpu.random_batches import SOME, Shape, random_batch, shapes
from tests.engine.helpers import CPU, assert_close_tensors, encoded, some_batches
from tests.waiting import DEADLINE_SECONDS


def step_results(step: GruStep | ThreadedStep, model: TextGenerator, batch: Batch) -> Tensor:
    """Run a step; return its loss and all gradients in one vector. They are reset unless threads share them."""
    results = [step.loss_and_grads(batch).reshape(1)]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == parameter.dtype
        results.append(parameter.grad.flatten())
    found = torch.cat(results)
    if isinstance(step, GruStep):
        model.zero_grad()
    return found


def gradient_error(found: Tensor, expected: Tensor) -> float:
    """Return the norm of the difference of all gradients, relative to their norm."""
    return float((found - expected)[1:].norm() / expected[1:].norm())


def initial_model(num_layers: int = 1) -> TextGenerator:
    """Return a model with initial weights, as at the start of a run."""
    torch.manual_seed(0)
    return TextGenerator(60, 32, 18, num_layers)


def masked_states(model: TextGenerator, inputs: Tensor, masks: list[Tensor]) -> Tensor:
    """Return the last states (B, T, H), with these masks (B, T, H) after each layer in place of dropout."""
    states: Tensor = model.embed(inputs)
    if model.ngram_input is not None:
        states = torch.cat([states, model.ngram_input(inputs)], dim=2)
    for number, mask in enumerate(masks):
        layer = torch.nn.GRU(states.shape[2], model.rnn.hidden_size, batch_first=True).double()
        weights = {name: getattr(model.rnn, name[:-1] + str(number)) for name, _ in layer.named_parameters()}
        if number == 0 and model.ngram_input is not None:
            weights["weight_ih_l0"] = widened_weight(weights["weight_ih_l0"])
        states = functional_call(layer, weights, (states,))[0] * mask
    return states


def by_autograd(model: TextGenerator, batch: Batch, masks: list[Tensor] | None = None) -> Tensor:
    """Return loss and gradients of the reference; `masks` (B, T, H) replace its dropout."""
    inputs = torch.from_numpy(batch.inputs)
    logits = model(inputs)[0] if masks is None else model.proj(masked_states(model, inputs, masks))
    loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten(), ignore_index=PAD)
    grads = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([loss.detach().reshape(1), *(grad.flatten() for grad in grads)])


def unpacked(mask: Tensor, batch: Batch) -> Tensor:
    """Return a mask (N, H) as (B, T, H)."""
    packed = PackedBatch.from_batch(batch)
    padded = torch.zeros(*batch.inputs.shape, mask.shape[1], dtype=mask.dtype)
    for step, rows in enumerate(mask.split_with_sizes(packed.row_counts)):
        padded[packed.order[: len(rows)], step] = rows
    return padded


@given(shape=shapes(hidden_sizes=(18,)), dropout=st.sampled_from([0.0, 0.0, 0.1, 0.5, 0.9]))
def test_loss_and_all_gradients_agree_with_autograd_under_the_same_masks(shape: Shape, dropout: float) -> None:
    model, batch = shape.model(dropout), shape.batch()
    step = GruStep(model)
    found = step_results(step, model, batch)
    masks = [unpacked(place.mask, batch) for place in step.dropouts if place.mask is not None]
    assert len(masks) == (shape.num_layers if dropout else 0)
    assert_close_tensors(found, by_autograd(model, batch, masks or None), rtol=1e-10, atol=1e-10)


def test_dropout_masks_have_the_right_values_and_a_mean_of_one() -> None:
    shape = replace(SOME, lengths=[60] * 20, num_layers=1)
    step = GruStep(shape.model(dropout=0.2))
    step.loss_and_grads(shape.batch())
    mask = step.dropouts[0].mask
    assert mask is not None
    assert set(mask.flatten().tolist()) == {0.0, 1.25}
    assert mask.mean().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_nan_weight_makes_loss_and_gradients_nan(precision: str) -> None:
    for name in ("rnn.weight_hh_l0", "rnn.weight_ih_l1", "embed.weight", "proj.bias"):
        model = SOME.model().float()
        with torch.no_grad():
            model.get_parameter(name).view(-1)[-1] = torch.nan
        assert next(model.parameters()) is model.embed.weight
        found = step_results(GruStep(model, precision), model, random_batch([SOME.vocab_size] * 8, SOME.vocab_size))
        assert found[0].isnan(), name
        assert found[1 : 1 + model.embed.weight.numel()].isnan().any(), name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_reused_buffers_change_no_result_whatever_a_larger_batch_left_in_them(precision: str) -> None:
    """The larger batch fills all rows with NaN, which would spread to the results."""
    model = SOME.model().float()
    used, kept = GruStep(model, precision), {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    assert step_results(used, model, random_batch([60] * 30, SOME.vocab_size))[0].isnan()
    model.load_state_dict(kept)
    for lengths in ([4, 2], [9, 9, 9, 8, 8, 1], [1], [4, 2]):
        batch = random_batch(lengths, SOME.vocab_size)
        assert torch.equal(step_results(used, model, batch), step_results(GruStep(model, precision), model, batch))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_rows_of_another_batch_and_those_added_in_bfloat16_have_no_gradient(precision: str) -> None:
    model = SOME.model().float()
    table = model.get_parameter("ngram_input.weight")
    plain, touched = torch.zeros(len(table)), torch.zeros(len(table))
    GruStep(SOME.model().float(), touched=plain).loss_and_grads(SOME.batch())
    step, grads = GruStep(model, precision, touched), []
    for batch in (SOME.batch(), random_batch([9, 9, 2], SOME.vocab_size, seed=1), SOME.batch()):
        step.loss_and_grads(batch)
        assert table.grad is not None
        grads.append(table.grad.clone())
    assert torch.equal(grads[2], grads[0])
    assert torch.equal(touched, plain)
    assert torch.equal(touched > 0, grads[2].any(dim=1))
    assert touched[NO_ROW] == 0


# bfloat16 ------------------------------------------------------------------------------------------------------------


@given(shape=shapes())
def test_in_bfloat16_loss_and_gradients_agree_with_float32_and_added_rows_change_neither(shape: Shape) -> None:
    """They change the order of sums over rows, so gradients agree within one rounding to bfloat16, 1/256."""
    model, batch = shape.model().float(), shape.batch()
    exact = step_results(GruStep(model), model, batch)
    rounded = step_results(GruStep(model, "bfloat16"), model, batch)
    assert float(rounded[0]) == pytest.approx(float(exact[0]), rel=0.03, abs=0.03)
    assert gradient_error(rounded, exact) < 0.4
    plain = GruStep(model, "bfloat16")
    plain._has_few_shapes = False
    assert len(PackedBatch.from_batch(batch, has_few_shapes=True)) > len(PackedBatch.from_batch(batch))
    unpadded = step_results(plain, model, batch)
    assert float(rounded[0]) == pytest.approx(float(unpadded[0]), rel=1e-5)
    assert gradient_error(rounded, unpadded) < 1 / 256


@pytest.mark.parametrize("num_layers", [1, 2])
def test_an_initial_model_differs_by_roundings_in_float32_and_by_a_hundredth_in_bfloat16(num_layers: int) -> None:
    model, batch = initial_model(num_layers), random_batch(list(range(20, 52)), vocab_size=60)
    exact = step_results(GruStep(model), model, batch)
    rounded = step_results(GruStep(model, "bfloat16"), model, batch)
    assert_close_tensors(exact, by_autograd(model, batch), rtol=1e-6, atol=1e-6)
    assert float(rounded[0]) == pytest.approx(float(exact[0]), rel=1e-3)
    assert 1e-5 < gradient_error(rounded, exact) < 0.01


def test_in_bfloat16_long_sums_of_small_gradients_are_accurate() -> None:
    """Naively accumulated in bfloat16, 4,000 equal numbers add up to 256 times one of them."""
    model, batch = initial_model(), random_batch([20] * 200, vocab_size=2)
    exact = step_results(GruStep(model), model, batch)
    rounded = step_results(GruStep(model, "bfloat16"), model, batch)
    sizes = [parameter.numel() for parameter in model.parameters()]
    found = zip(
        rounded[1:].split_with_sizes(sizes), exact[1:].split_with_sizes(sizes), model.named_parameters(), strict=True
    )
    for grad, expected, (name, _) in found:
        if name in {"embed.weight", "rnn.bias_ih_l0", "rnn.weight_hh_l0", "proj.weight", "proj.bias"}:
            assert (grad - expected).norm() < 0.02 * expected.norm(), name


def test_a_run_in_bfloat16_follows_one_in_float32() -> None:
    curves = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(1)
        model = TextGenerator(len(encoded()[1]), 12, 18, 2)
        trainer = Trainer(model, TrainingConfig(), replace(CPU, precision=precision))
        for batch in some_batches(60):
            trainer.step(batch, 0.004)
        assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
        curves.append(np.reshape(trainer.drain_report().train_losses, (-1, 20)).mean(axis=1))
    exact, rounded = curves
    assert rounded == pytest.approx(exact, rel=0.01)
    assert exact[-1] < exact[0] - 0.5


def test_a_padded_number_of_rows_is_at_most_a_quarter_more_and_one_of_few() -> None:
    padded = {num_rows: padded_num_rows(num_rows) for num_rows in range(1, 10_001)}
    assert len(set(padded.values())) < 40
    for num_rows, height in padded.items():
        assert num_rows <= height <= max(128, num_rows * 5 / 4)
        assert padded_num_rows(height) == height


# threads --------------------------------------------------------------------------------------------------------------


def on_threads(num_threads: int, step: ThreadedStep, model: TextGenerator, batch: Batch) -> Tensor:
    """Return the loss and all gradients of a step on so many threads."""
    with one_torch_thread():
        torch.set_num_threads(num_threads)
        results = step_results(step, model, batch)
        assert torch.get_num_threads() == num_threads
    return results


@given(shape=shapes(hidden_sizes=(18,)), num_threads=st.integers(1, 3))
def test_on_any_number_of_threads_loss_and_all_gradients_are_those_of_one(shape: Shape, num_threads: int) -> None:
    plain, model = shape.model(), shape.model()
    expected = step_results(GruStep(plain), plain, shape.batch())
    step = ThreadedStep(model)
    for _ in range(2):
        found = on_threads(num_threads, step, model, shape.batch())
        assert_close_tensors(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_threads_draw_different_masks_of_dropout_that_a_seed_repeats_exactly(precision: str) -> None:
    model, one = replace(SOME, has_table=False).model(dropout=0.5).float(), random_batch([9], 20)
    pair = Batch(one.inputs.repeat(2, axis=0), one.targets.repeat(2, axis=0), num_targets=18)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        step = ThreadedStep(model, precision)
        found.append(on_threads(2, step, model, pair))
        first, second = (own.dropouts[0].mask for own in (step._own, step._helpers[0].step))
        assert first is not None
        assert second is not None
        assert not torch.equal(first, second)
    assert torch.equal(found[1], found[0])
    assert found[2][0] != found[0][0]


def test_an_error_in_the_own_thread_is_raised_once_the_others_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    step, sound, is_raised, ended = (
        ThreadedStep(SOME.model()),
        GruStep.loss_and_grads,
        threading.Event(),
        list[Tensor](),
    )

    def fail_here(own: GruStep, *args: Any) -> Tensor:
        if own is step._own:
            is_raised.set()
            raise MemoryError
        assert is_raised.wait(DEADLINE_SECONDS)
        ended.append(sound(own, *args))
        return ended[0]

    monkeypatch.setattr(GruStep, "loss_and_grads", fail_here)
    with pytest.raises(MemoryError):
        on_threads(2, step, step._model, SOME.batch())
    assert len(ended) == 1


def test_a_change_of_the_weights_reaches_all_threads_also_after_an_error_in_one() -> None:
    model, batch = SOME.model(), SOME.batch()
    step = ThreadedStep(model)
    on_threads(2, step, model, batch)
    inputs = batch.inputs.copy()
    inputs[1::2] += 1000  # those of the second thread
    with pytest.raises((IndexError, RuntimeError)):
        on_threads(2, step, model, Batch(inputs, batch.targets, batch.num_targets))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    found, expected = on_threads(2, step, model, batch), on_threads(1, ThreadedStep(model), model, batch)
    assert_close_tensors(found, expected, rtol=1e-10, atol=1e-10)
