"""A new model: its initial weights, and the contexts of its n-gram input, counted in the training tweets."""

from __future__ import annotations

from dataclasses import replace

import torch

from engine.config.run import ModelConfig
from engine.corpus.training_data import TrainingData
from engine.model.gru import TextGenerator

NO_CONTEXTS_WARNING = "No sequence of characters occurs often enough in these tweets: --ngram-order has no effect."


def new_model(config: ModelConfig, data: TrainingData) -> tuple[ModelConfig, TextGenerator]:
    """Return the settings with the number of contexts, and the model on the CPU."""
    contexts = data.frequent_contexts(config.ngram_order, config.hidden_size)
    config = replace(config, ngram_contexts=len(contexts))
    model = TextGenerator.from_config(len(data.vocab), config)
    if model.ngram_input is not None:
        model.ngram_input.contexts.copy_(torch.from_numpy(contexts))
    return config, model
