"""`WeightAverage`: a moving average of a model's weights, for evaluation and sampling.

At a constant learning rate the weights oscillate around a minimum of the loss, and their mean is closer to it than any
of them. So the averaged model is always about as good as one whose learning rate has been annealed, while training
itself is unaffected.

The weights after step s count in proportion to s^gamma, a power function (Karras et al. 2024, arXiv:2312.02696): after
step t,

    average += (1 - (1 - 1 / t)^(gamma + 1)) * (weights - average)

The mean age of the averaged weights is t / (gamma + 2) steps, a constant share of all steps, the `lag`. So the average
needs no horizon that depends on the length of the run.

An n-gram table is several times as large as the other weights, and a step changes little of it. So it is included every
`TABLE_INTERVAL` steps only, as if it had not changed in between: n such updates are one with (1 - n / t)^(gamma + 1).
"""

from __future__ import annotations

import copy

import torch

from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator

TABLE_INTERVAL = 8
"""Steps between two updates of a table's average; 1 up to that step."""


class WeightAverage:
    """A model whose weights are the average of another's. Not thread-safe."""

    def __init__(self, model: TextGenerator, lag: float) -> None:
        """Start from a copy of the weights; 0 < `lag` < 0.5."""
        flat = FlatParameters(model)
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False).eval()
        self.weights = flat.bind_copy(self.model)
        """All averages, in the layout of the model's `FlatParameters`."""
        self._exponent = 1 / lag - 1
        self._dense, self._dense_average = flat.dense_weights, self.weights[: flat.num_dense]
        self._table = None if flat.table is None else flat.table.weight
        self._table_average = None if flat.table is None else flat.table_of(self.weights)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Include the weights after `step`, counted from 1; never waits for the device."""
        self._dense_average.lerp_(self._dense, self._share(step, 1))
        if self._table is not None and self._table_average is not None:
            num_steps = 1 if step <= TABLE_INTERVAL else TABLE_INTERVAL
            if step % num_steps == 0:
                self._table_average.lerp_(self._table, self._share(step, num_steps))

    def _share(self, step: int, num_steps: int) -> float:
        """Return the share of the weights after the last `num_steps` steps in the average after `step`."""
        left: float = (1 - num_steps / step) ** self._exponent
        return 1 - left
