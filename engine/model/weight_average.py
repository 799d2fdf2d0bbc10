"""`WeightAverage`: a moving average of a model's weights, for evaluation and sampling.

At a constant learning rate the weights oscillate around a minimum of the loss, and their mean is closer to it than any
of them. So the averaged model is always about as good as one whose learning rate has been annealed, while training
itself is unaffected.

The weights after step s count in proportion to s^gamma, a power function (Karras et al. 2024, arXiv:2312.02696): after
step t,

    average += (1 - (1 - 1 / t)^(gamma + 1)) * (weights - average)

The mean age of the averaged weights is t / (gamma + 2) steps, a constant share of all steps, the `lag`. So the average
needs no horizon that depends on the length of the run.
"""

from __future__ import annotations

import copy

import torch

from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator


class WeightAverage:
    """A model whose weights are the average of another's. Not thread-safe."""

    def __init__(self, model: TextGenerator, lag: float) -> None:
        """Start from a copy of the weights; 0 < `lag` < 0.5."""
        flat = FlatParameters(model)
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False).eval()
        self.weights = flat.bind_copy(self.model)
        """All averages, in the layout of the model's `FlatParameters`."""
        self._exponent = 1 / lag - 1
        self._current = flat.weights

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Include the weights after `step`, counted from 1; never waits for the device."""
        self.weights.lerp_(self._current, 1 - (1 - 1 / step) ** self._exponent)
