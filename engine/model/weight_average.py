"""`WeightAverage`: the average of a model's weights over the last part of its training, kept beside them.

Steps at a constant rate wander around the place where the loss is lowest, and the mean of where they were lies nearer
to it than any of them: what is evaluated, written with and handed out is as good as if the rate had been lowered, at
any moment, and the training itself goes on as before.

The weights after step s count in proportion to s^gamma, a power function (Karras et al. 2024, arXiv:2312.02696): after
step t,

    average += (1 - (1 - 1 / t)^(gamma + 1)) * (weights - average)

The mean age of what is in it is t / (gamma + 2) steps: always the same share of the training so far, the `lag`, so
that it forgets the beginning as fast as it must, and needs no length of a run to be set to.
"""

from __future__ import annotations

import copy

import torch

from engine.model.gru import TextGenerator


class WeightAverage:
    """A model whose weights are the average of another's. One thread at a time."""

    def __init__(self, model: TextGenerator, lag: float) -> None:
        """Begin with a copy of the weights as they are; `lag` lies between 0 and 0.5, not included."""
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False).eval()
        self._exponent = 1 / lag - 1
        self._averages = [parameter.detach() for parameter in self.model.parameters()]
        self._weights = [parameter.detach() for parameter in model.parameters()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step`, counted from 1; waits for no device."""
        torch._foreach_lerp_(self._averages, self._weights, 1 - (1 - 1 / step) ** self._exponent)
