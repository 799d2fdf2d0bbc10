"""Growth of a trained model's vocabulary: more characters get rows of their own after those of the others.

The new rows of embedding, projection and bias are drawn as those of a new model, from a generator of their own. Their
averages equal them, and the moments of the optimizer there are zero. All else is unchanged: the contexts of an n-gram
input stay those of the first training tweets.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.config.run import ModelConfig
from engine.model.gru import TextGenerator

_WEIGHTS = ("model.", "average.")
_MOMENTS = ("optimizer.exp_avg.", "optimizer.exp_avg_sq.")


def grown_tensors(tensors: dict[str, Tensor], vocab_size: int, config: ModelConfig, seed: int) -> dict[str, Tensor]:
    """Return a checkpoint's tensors for a vocabulary of `vocab_size` symbols, V, which starts with the checkpoint's.

    Those without V in their shape are the same objects. Draws no number from a global generator.
    """
    new = _new_weights(vocab_size, config, seed)
    initial = {f"{prefix}{name}": weights for prefix in _WEIGHTS for name, weights in new.items()}
    initial |= {f"{prefix}{name}": torch.zeros_like(weights) for prefix in _MOMENTS for name, weights in new.items()}
    return {name: _extended(tensor, initial.get(name, tensor)) for name, tensor in tensors.items()}


def load_first_rows(model: TextGenerator, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of a model of the first symbols of the vocabulary; all further rows stay as they are."""
    own = model.state_dict()
    for name, tensor in weights.items():
        own[name][tuple(map(slice, tensor.shape))].copy_(tensor)


def _extended(tensor: Tensor, initial: Tensor) -> Tensor:
    """Return `initial` with `tensor` in place of its first rows and columns; `tensor` itself if there are no others."""
    if tensor.shape == initial.shape:
        return tensor
    grown = initial.clone()
    grown[tuple(slice(length) for length in tensor.shape)] = tensor
    return grown


def _new_weights(vocab_size: int, config: ModelConfig, seed: int) -> dict[str, Tensor]:
    """Return the initial weights of a new model, by name."""
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        return TextGenerator.from_config(vocab_size, config).state_dict()
