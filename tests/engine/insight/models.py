"""Models of insight tests: tiny, with weights large enough that gates open and close."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.insight.answers import snapshot
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, Vocab
from tests.engine.compute.cpu.random_batches import set_contexts, some_contexts
from tests.engine.helpers import small_tweets, vocab_of

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
    return snapshot(model)


MODELS = [small_model(1), small_model(2), small_model(3), small_model(2, tied_embeddings=True)]
models = pytest.mark.parametrize("model", MODELS, ids=["1 layer", "2 layers", "3 layers", "tied"])


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest absolute difference of two tensors of one shape."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max())
