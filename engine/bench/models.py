"""The program's own models in benchmarks: with an n-gram input, as those of preset `auto`."""

from __future__ import annotations

import torch

from engine.bench.train_figures import Shape
from engine.compute.device import seed_generators
from engine.config.presets import NGRAM_ORDER
from engine.config.run import ModelConfig
from engine.corpus.training_data import TrainingData
from engine.model.gru import TextGenerator
from engine.session.new_model import new_model


def new_bench_model(shape: Shape, data: TrainingData, device: torch.device) -> TextGenerator:
    """Return a new model on the device, the same in each call and on each rank; seeds all generators with 0."""
    seed_generators(0)
    sizes = ModelConfig(embedding_size=shape.embedding_size, hidden_size=shape.hidden_size, ngram_order=NGRAM_ORDER)
    return new_model(sizes, data)[1].to(device)
