"""Random models of every shape, and their checkpoints, for the tests of exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, save_checkpoint
from engine.config.run import ModelConfig
from engine.export.hub.write import write_folder
from engine.model.gru import TextGenerator
from engine.model.ngram_codes import ORDERS, appended, context_code
from engine.model.vocab import BOS, EOS, SPECIALS
from tests.engine.checkpoints.saved import checkpoint_info

SHAPES = {
    "one layer": ModelConfig(embedding_size=5, hidden_size=16),
    "tied": ModelConfig(embedding_size=8, hidden_size=8, tied_embeddings=True),
    "four layers": ModelConfig(embedding_size=5, hidden_size=8, num_layers=4, dropout=0.2),
    "n-grams": ModelConfig(embedding_size=5, hidden_size=8, num_layers=3, ngram_order=4, ngram_contexts=400),
    "all": ModelConfig(
        embedding_size=16, hidden_size=16, num_layers=2, tied_embeddings=True, ngram_order=4, ngram_contexts=400
    ),
}
EMOJI = ("😀", "\u200d", "\ufe0f", "é", "ש", " ", '"', "\\", "#", "a", "b")
MANY = tuple(chr(0x4E00 + number) for number in range(4000))
BEYOND_16_BITS = (*MANY, *(chr(0x10000 + number) for number in range(62_000)))
"""More symbols than a context has codes for."""


def random_ids(vocab_size: int, length: int = 200) -> Tensor:
    """Return three texts of random ids, (3, length), that begin with `BOS` and have the largest id.

    Half of the ids are among the first few, so that contexts occur again.
    """
    generator = np.random.default_rng(3)
    frequent, rare = (generator.integers(EOS, min(size, vocab_size), (3, length)) for size in (9, vocab_size))
    ids = np.where(generator.random((3, length)) < 0.5, frequent, rare)
    ids[:, 0], ids[:, 3:5] = BOS, vocab_size - 1
    return torch.from_numpy(ids)


def some_contexts(vocab_size: int, count: int) -> Tensor:
    """Return the codes, (count,) and ascending, of contexts of all lengths in `random_ids`."""
    codes: set[int] = set()
    window = np.zeros(3, dtype=np.int64)
    for column in random_ids(vocab_size).numpy().T:
        window = appended(window, column)
        codes.update(*(context_code(window, order).tolist() for order in ORDERS))
    return torch.tensor(sorted(codes)[:: len(codes) // count][:count])


def random_model(vocab_size: int, config: ModelConfig) -> TextGenerator:
    """Return a model in eval mode, whose weights are large enough that gates open and close."""
    torch.manual_seed(5)
    model = TextGenerator.from_config(vocab_size, config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.5)
        if model.ngram_input is not None:
            model.ngram_input.weight[0] = 0
            model.ngram_input.contexts.copy_(some_contexts(vocab_size, config.ngram_contexts))
    return model


def checkpoint_of(model: TextGenerator, config: ModelConfig, chars: tuple[str, ...], **changes: Any) -> Checkpoint:
    """Return a checkpoint of this model at step 0."""
    tensors = {f"model.{name}": tensor.clone() for name, tensor in model.state_dict().items()}
    tensors["generator.cpu"] = torch.get_rng_state()
    return Checkpoint(checkpoint_info(**{"model": config, "vocab": chars, "step": 0, **changes}), tensors)


def write_random_folder(folder: Path, config: ModelConfig, chars: tuple[str, ...], **changes: Any) -> TextGenerator:
    """Write the model folder of a random model, whose training tweets are missing; return the model."""
    model = random_model(len(SPECIALS) + len(chars), config)
    checkpoint = checkpoint_of(model, config, chars, **changes)
    path = folder.with_suffix(".safetensors")
    save_checkpoint(path, checkpoint.info, checkpoint.tensors)
    write_folder(path, folder, "mit", may_replace=False)
    return model
