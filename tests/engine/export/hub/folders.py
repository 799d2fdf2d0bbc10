"""Checkpoints of random models of every shape, and their model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.compute.device import generator_states
from engine.config.run import ModelConfig
from engine.export.hub.write import write_folder
from engine.model.gru import TextGenerator
from engine.model.ngram_codes import ORDERS, appended, context_code
from engine.model.vocab import BOS, SPECIALS
from engine.training.trainer_state import weight_tensors
from tests.engine.checkpoints.saved import write_checkpoint
from tests.engine.helpers import CPU

SHAPES = {
    "one layer": ModelConfig(embedding_size=5, hidden_size=8),
    "tied": ModelConfig(embedding_size=8, hidden_size=8, tied_embeddings=True),
    "four layers": ModelConfig(embedding_size=5, hidden_size=8, num_layers=4, dropout=0.2),
    "n-grams": ModelConfig(embedding_size=5, hidden_size=8, ngram_order=4, ngram_contexts=40),
    "all": ModelConfig(
        embedding_size=8, hidden_size=8, num_layers=2, tied_embeddings=True, ngram_order=4, ngram_contexts=40
    ),
}
EMOJI = ("😀", "\u200d", "\ufe0f", "é", "ש", " ", '"', "\\", "#", "a", "b")
MANY = tuple(chr(0x4E00 + number) for number in range(4000))
BEYOND_16_BITS = (*MANY, *(chr(0x10000 + number) for number in range(62_000)))
"""More symbols than a context has codes for."""


def some_ids(vocab_size: int) -> Tensor:
    """Return two texts, (2, 12), that begin with `BOS`; with the smallest and the largest ids."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(len(SPECIALS), vocab_size, (2, 12), generator=generator)
    ids[:, 0] = BOS
    ids[0, 3:5], ids[1, 5:8] = vocab_size - 1, len(SPECIALS)
    return ids


def contexts_in(ids: Tensor, count: int) -> Tensor:
    """Return the codes of `count` contexts that occur in texts, ascending, (count,)."""
    windows = np.zeros(len(ids), dtype=np.int64)
    codes: set[int] = set()
    for column in ids.numpy().T:
        windows = appended(windows, column)
        codes |= {int(code) for order in ORDERS for code in context_code(windows, order)}
    return torch.tensor(sorted(codes)[:count])


def write_random_checkpoint(path: Path, config: ModelConfig, chars: tuple[str, ...], **changes: Any) -> TextGenerator:
    """Write a checkpoint at step 0 of a model with random weights, larger than initial ones; return the model."""
    torch.manual_seed(3)
    vocab_size = len(SPECIALS) + len(chars)
    model = TextGenerator.from_config(vocab_size, config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7)
        if model.ngram_input is not None:
            model.ngram_input.weight[0] = 0
            model.ngram_input.contexts.copy_(contexts_in(some_ids(vocab_size), config.ngram_contexts))
    generators = {f"generator.{name}": state for name, state in generator_states(CPU.device).items()}
    tensors = {name: tensor.clone() for name, tensor in weight_tensors(model, None).items()} | generators
    write_checkpoint(path, tensors, **{"model": config, "vocab": chars, "step": 0, **changes})
    return model.eval()


def write_random_folder(folder: Path, config: ModelConfig, chars: tuple[str, ...], **changes: Any) -> TextGenerator:
    """Write the folder of such a model, whose training tweets are missing; return the model."""
    path = folder.with_suffix(".safetensors")
    model = write_random_checkpoint(path, config, chars, **changes)
    write_folder(path, folder, "mit", may_replace=False)
    return model
