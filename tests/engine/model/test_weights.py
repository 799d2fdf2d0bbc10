"""Weights as views of flat buffers, and their average: neither changes what is learned."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.run import ModelConfig, TrainingConfig
from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator, weights_with_prefix
from engine.model.weight_average import WeightAverage
from engine.training.trainer import Trainer
from tests.engine.checkpoints.saved import MODEL, write_checkpoint
from tests.engine.helpers import CPU, assert_same_tensors, copy_of_state, encoded, some_batches


def new_model(*, is_tied: bool = False) -> TextGenerator:
    torch.manual_seed(0)
    return TextGenerator(23, 7 if is_tied else 5, 7, 2, tied_embeddings=is_tied)


def lay_out_like_cudnn(model: TextGenerator, gap: int = 3) -> None:
    """Move the GRU's parameters to one storage, matrices first and biases last, with a gap at the end."""
    weights = sorted(model.rnn.parameters(), key=lambda weight: -weight.dim())
    block, end = torch.zeros(sum(weight.numel() for weight in weights) + gap), 0
    for weight in weights:
        view = block[end : end + weight.numel()].view_as(weight)
        weight.data = view.copy_(weight.detach())
        end += weight.numel()


def test_the_block_of_a_gru_that_cudnn_has_laid_out_comes_first_and_stays_as_it_is() -> None:
    model, expected = new_model(), new_model().state_dict()
    lay_out_like_cudnn(model)
    offsets = [int(weight.storage_offset()) for weight in model.rnn.parameters()]
    size = next(model.rnn.parameters()).untyped_storage().nbytes() // 4
    flat = FlatParameters(model)
    assert [int(weight.storage_offset()) for weight in model.rnn.parameters()] == offsets
    assert min(int(each.storage_offset()) for each in (model.embed.weight, *model.proj.parameters())) >= size
    assert_same_tensors(model.state_dict(), expected)
    for copied in (copy.deepcopy(model), copy.deepcopy(model).to(torch.bfloat16)):
        buffer = flat.bind_copy(copied)
        assert [int(weight.storage_offset()) for weight in copied.rnn.parameters()] == offsets
        assert torch.equal(buffer, flat.weights.to(buffer.dtype))
        assert buffer.data_ptr() == copied.proj.weight.untyped_storage().data_ptr() != flat.weights.data_ptr()


def test_the_norm_is_exact_to_rounding_and_independent_of_the_number_of_threads() -> None:
    flat = FlatParameters(TextGenerator(100, 300, 300, 2))
    flat.dense_grads.normal_(generator=torch.Generator().manual_seed(1))
    norms = set()
    for num_threads in (1, 2, 3):
        torch.set_num_threads(num_threads)
        norms.add(flat.grad_norm().item())
    assert len(norms) == 1
    assert norms.pop() == pytest.approx(flat.dense_grads.double().norm().item(), rel=3e-7)


@given(st.data())
def test_the_checksum_changes_with_any_bit_with_the_order_and_with_the_sign_of_zero(data: st.DataObject) -> None:
    flat = FlatParameters(new_model())
    before = flat.checksum()
    assert before == FlatParameters(new_model()).checksum()
    bits, indices = flat.weights.view(torch.int32), st.integers(0, len(flat.weights) - 1)
    index, other = data.draw(indices), data.draw(indices)
    bits[index] ^= 1 << data.draw(st.integers(0, 30))
    assert flat.checksum() != before
    flat = FlatParameters(new_model())
    flat.weights[[index, other]] = flat.weights[[other, index]]
    assert (flat.checksum() != before) is bool(flat.weights[index] != flat.weights[other])
    flat.weights.zero_()
    of_zeros = flat.checksum()
    flat.weights.neg_()
    assert flat.checksum() != of_zeros


# The average ----------------------------------------------------------------------------------------------------------


AVERAGING = TrainingConfig(average_lag=0.1, max_steps=12)


def trained(training: TrainingConfig, num_steps: int, model: ModelConfig = MODEL) -> Trainer:
    """Return a small trainer after some steps."""
    torch.manual_seed(0)
    trainer = Trainer(TextGenerator.from_config(len(encoded()[1]), model), training, CPU)
    for batch in some_batches(num_steps):
        trainer.step(batch, 0.01)
    return trainer


@pytest.mark.parametrize("lag", [0.02, 0.1, 0.4])
def test_each_step_is_weighted_by_a_power_of_its_number(lag: float) -> None:
    model = TextGenerator(5, 2, 3)
    average = WeightAverage(model, lag)
    steps = np.arange(1, 201)
    for step in steps:
        with torch.no_grad():
            model.proj.bias.fill_(float(step))
        average.update(int(step))
    exponent = 1 / lag - 1  # of the cumulative weights: gamma + 1
    weights = (steps / 200) ** exponent - ((steps - 1) / 200) ** exponent
    assert float(average.model.proj.bias.detach()[0]) == pytest.approx(float(weights @ steps), rel=1e-4)
    assert 200 - float(average.model.proj.bias.detach()[0]) == pytest.approx(200 * lag, abs=1.5)


def test_a_table_is_averaged_every_8_steps_as_if_it_changed_then() -> None:
    model = TextGenerator(5, 2, 3, ngram_contexts=1)
    assert model.ngram_input is not None
    average, expected = WeightAverage(model, 0.1), 0.0
    table = average.model.get_parameter("ngram_input.weight").detach()
    for step in range(1, 41):
        with torch.no_grad():
            if step <= 8 or step % 8 == 1:  # of the next 8 steps
                model.ngram_input.weight[1] = step
        average.update(step)
        share = 1 - (1 - 1 / step) ** 9  # of the weights after this step, with a lag of 0.1
        expected += share * (float(model.ngram_input.weight[1, 0].detach()) - expected)
        if step <= 8 or step % 8 == 0:
            assert float(table[1, 0]) == pytest.approx(expected, rel=1e-5)
    assert not table[0].any()


def test_tied_embeddings_are_still_tied_when_loaded_from_a_checkpoint(tmp_path: Path) -> None:
    tied = ModelConfig(embedding_size=8, hidden_size=8, tied_embeddings=True)
    trainer, resumed = trained(AVERAGING, 4, tied), trained(AVERAGING, 0, tied)
    tensors = copy_of_state(trainer) | {"generator.cpu": torch.get_rng_state()}
    path = write_checkpoint(tmp_path / "one.safetensors", tensors, training=AVERAGING, model=tied, step=4)
    checkpoint = load_checkpoint(path)
    resumed.load_state(checkpoint.tensors, 4)
    assert_same_tensors(resumed.state(), trainer.state())
    for model in (checkpoint.to_model(CPU.device), resumed.eval_model):
        assert model.embed.weight is model.proj.weight


def test_averaging_does_not_affect_training_and_one_that_is_missing_from_a_state_starts_from_its_weights() -> None:
    with_average, without = trained(AVERAGING, 9), trained(TrainingConfig(), 9)
    assert with_average.drain_report() == without.drain_report()
    assert without.eval_model is without.model
    assert not torch.equal(with_average.eval_model.proj.weight, with_average.model.proj.weight)
    with_average.load_state(copy_of_state(without), 9)
    assert_same_tensors(with_average.eval_model.state_dict(), weights_with_prefix(copy_of_state(without), "model."))
