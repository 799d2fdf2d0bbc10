"""The weight average follows its formula, does not affect training, and is restored from checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.run import ModelConfig, TrainingConfig
from engine.model.gru import TextGenerator, weights_with_prefix
from engine.model.weight_average import WeightAverage
from engine.training.trainer import Trainer
from tests.engine.checkpoints.saved import MODEL, write_checkpoint
from tests.engine.helpers import CPU, assert_same_tensors, copy_of_state, encoded, some_batches

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
    trainer = trained(AVERAGING, 4, tied)
    tensors = copy_of_state(trainer) | {"generator.cpu": torch.get_rng_state()}

    path = write_checkpoint(tmp_path / "one.safetensors", tensors, training=AVERAGING, model=tied, step=4)

    checkpoint = load_checkpoint(path)
    model = checkpoint.to_model(CPU.device)
    assert model.embed.weight is model.proj.weight
    resumed = trained(AVERAGING, 0, tied)
    resumed.load_state(checkpoint.tensors, 4)
    assert_same_tensors(resumed.state(), trainer.state())
    assert resumed.eval_model.embed.weight is resumed.eval_model.proj.weight


def test_averaging_does_not_affect_training_and_one_that_is_missing_from_a_state_starts_from_its_weights() -> None:
    with_average, without = trained(AVERAGING, 9), trained(TrainingConfig(), 9)

    assert with_average.drain_report() == without.drain_report()
    assert without.eval_model is without.model
    assert not torch.equal(with_average.eval_model.proj.weight, with_average.model.proj.weight)
    with_average.load_state(copy_of_state(without), 9)
    assert_same_tensors(with_average.eval_model.state_dict(), weights_with_prefix(copy_of_state(without), "model."))
