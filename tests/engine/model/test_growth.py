"""A vocabulary that grows leaves the old rows as they are, and starts the new ones as those of a new model."""

from __future__ import annotations

import pytest
import torch

from engine.config.run import ModelConfig, TrainingConfig
from engine.model.growth import grown_tensors
from engine.model.gru import TextGenerator, weights_with_prefix
from engine.model.vocab import BOS, PAD
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, code_of, copy_of_state, encoded, some_batches

UNTIED = ModelConfig(embedding_size=4, hidden_size=8)
TIED = ModelConfig(embedding_size=8, hidden_size=8, num_layers=2, tied_embeddings=True)
WITH_TABLE = ModelConfig(embedding_size=4, hidden_size=8, ngram_order=4, ngram_contexts=1)
OLD = len(encoded()[1])
NEW = OLD + 3
BY_VOCAB = ("embed.weight", "proj.weight", "proj.bias")


def trained(config: ModelConfig) -> dict[str, torch.Tensor]:
    """Return the tensors of a small averaged model after three steps."""
    torch.manual_seed(0)
    model = TextGenerator.from_config(OLD, config)
    if model.ngram_input is not None:
        model.ngram_input.contexts[0] = code_of(PAD, BOS)
    trainer = Trainer(model, TrainingConfig(average_lag=0.1), CPU)
    for batch in some_batches(3):
        trainer.step(batch, 0.01)
    return copy_of_state(trainer) | {"generator.cpu": torch.get_rng_state()}


def has_vocab(name: str) -> bool:
    return name.endswith(BY_VOCAB) and not name.startswith("optimizer.step.")


@pytest.mark.parametrize("config", [UNTIED, TIED, WITH_TABLE], ids=["untied", "tied", "with a table"])
def test_old_rows_and_all_other_tensors_stay_and_new_rows_are_those_of_a_new_model_without_moments(
    config: ModelConfig,
) -> None:
    before = trained(config)
    state = torch.get_rng_state()
    after = grown_tensors(before, NEW, config, seed=7)

    assert torch.equal(torch.get_rng_state(), state)
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(after[name][:OLD] if has_vocab(name) else after[name], tensor)
        assert after[name].shape == (NEW, *tensor.shape[1:]) if has_vocab(name) else after[name] is tensor
    torch.manual_seed(7)
    new = TextGenerator.from_config(NEW, config).state_dict()
    for name in BY_VOCAB:
        assert torch.equal(after[f"model.{name}"][OLD:], new[name][OLD:])
        assert torch.equal(after[f"average.{name}"][OLD:], new[name][OLD:])
    moments = [tensor for name, tensor in after.items() if ".exp_avg" in name and has_vocab(name)]
    assert len(moments) == 2 * (2 if config.tied_embeddings else 3)
    assert all(not moment[OLD:].any() for moment in moments)
    small, large = TextGenerator.from_config(OLD, config).eval(), TextGenerator.from_config(NEW, config).eval()
    small.load_state_dict(weights_with_prefix(before, "model."))
    large.load_state_dict(weights_with_prefix(after, "model."))
    inputs = torch.from_numpy(some_batches(1)[0].inputs)
    with torch.inference_mode():
        torch.testing.assert_close(large(inputs)[0][..., :OLD], small(inputs)[0])


def test_growth_depends_on_its_seed_alone() -> None:
    before = trained(UNTIED)
    found = []
    for global_seed, seed in enumerate((7, 7, 8)):
        torch.manual_seed(global_seed)
        found.append(grown_tensors(before, NEW, UNTIED, seed=seed)["model.embed.weight"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
