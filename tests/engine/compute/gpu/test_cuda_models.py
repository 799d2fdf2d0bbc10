"""On a GPU: sizes that cuDNN computes in several ways, averaged weights, evaluation and sampling equal the CPU's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.compute.cpu.inference_weights import InferenceWeights
from engine.compute.device import Runtime
from engine.compute.gpu.probe import supported_precision
from engine.compute.gpu.recorder import kept_pool_recorder
from engine.config.run import TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.model.gru import TextGenerator
from engine.model.ngram_codes import EMPTY_WINDOW
from engine.sampling.sampler import sample_tweets
from engine.sampling.stepper import CharStepper, RecordedStepper
from engine.training.evaluation import evaluate
from engine.training.trainer import Trainer
from tests.engine.compute.gpu.cuda import DEVICE, on_cuda
from tests.engine.helpers import CPU, encoded, model_with_table, some_batches

pytestmark = pytest.mark.gpu

RATE = 2.0**-7


def new_model(hidden_size: int = 64, num_layers: int = 1) -> TextGenerator:
    torch.manual_seed(0)
    model = model_with_table(hidden_size, hidden_size, num_layers)
    model.get_parameter("ngram_input.weight").data[1:].normal_(std=0.1)
    return model


def trained(model: TextGenerator, runtime: Runtime, average_lag: float = 0.0) -> tuple[Trainer, list[float]]:
    """Return a trainer of the model after 30 steps, and their losses."""
    config = TrainingConfig(batch_size=16, max_grad_norm=0.5, average_lag=average_lag)
    trainer = Trainer(model.to(runtime.device), config, runtime)
    for batch in some_batches(30, 16):
        trainer.step(batch, RATE)
    return trainer, trainer.drain_report().train_losses


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("hidden_size", [100, 130, 160, 192, 256])
def test_every_hidden_size_trains_as_on_the_cpu(hidden_size: int, precision: str) -> None:
    precision = supported_precision(new_model(hidden_size).to(DEVICE), 16, precision)
    _, found = trained(new_model(hidden_size), on_cuda(precision))
    _, expected = trained(new_model(hidden_size), CPU)
    assert found == pytest.approx(expected, rel=0.03 if precision == "bfloat16" else 0.01)


def test_averaged_weights_equal_those_of_the_cpu() -> None:
    found, expected = (trained(new_model(), runtime, average_lag=0.1)[0] for runtime in (on_cuda(), CPU))
    for weight, wanted in zip(found.eval_model.parameters(), expected.eval_model.parameters(), strict=True):
        torch.testing.assert_close(weight.cpu(), wanted, rtol=0.05, atol=0.005)
    assert not torch.equal(found.eval_model.proj.weight, found.model.proj.weight)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_an_evaluation_equals_that_of_the_cpu(num_layers: int) -> None:
    model, tweets = new_model(num_layers=num_layers), encoded()[0]
    expected = evaluate(model, tweets).total_nats
    assert evaluate(model.to(DEVICE), tweets).total_nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_recorded_character_has_the_probabilities_of_the_cpu(num_layers: int) -> None:
    model, token_ids = new_model(num_layers=num_layers), torch.randint(4, 20, (30, 1)).numpy()
    plain = CharStepper(model, may_compile=False)
    expected = [plain.step(one) for one in token_ids]
    weights = InferenceWeights(model.to(DEVICE))
    states = [torch.zeros(1, 64, device=DEVICE) for _ in range(num_layers)]
    windows = torch.tensor([EMPTY_WINDOW], device=DEVICE)
    recorded = RecordedStepper(weights, states, windows, kept_pool_recorder(model.device))

    found = [recorded.step(one) for one in token_ids]

    assert np.allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert recorded._steps.num_recorded == 1


def test_many_tweets_are_sampled_while_graphs_are_recorded_and_freed() -> None:
    model, vocab = trained(new_model(), on_cuda())[0].model, encoded()[1]
    config = SamplingConfig(max_length=30)
    one_by_one = [sample_tweets(model, vocab, config, [seed])[0] for seed in range(20)]
    assert [tweet.text for tweet in one_by_one] == [sample_tweets(model, vocab, config, [n])[0].text for n in range(20)]
    together = sample_tweets(model, vocab, config, range(20))
    assert sum(one.text == other.text for one, other in zip(one_by_one, together, strict=True)) >= 15
