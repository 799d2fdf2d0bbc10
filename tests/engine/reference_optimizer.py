"""`ReferenceOptimizer`: the update of a model with an n-gram table, in the readable way."""

from __future__ import annotations

import torch

from engine.compute.row_rmsprop import DECAY_EVERY, NGRAM_RATE_FACTOR
from engine.model.gru import TextGenerator


class ReferenceOptimizer:
    """Clipping and AdamW by torch for all weights but the table, and row-wise RMSprop for that, row by row."""

    def __init__(
        self,
        model: TextGenerator,
        learning_rate: float,
        weight_decay: float,
        max_grad_norm: float,
        ngram_decay: float = 0.0,
    ) -> None:
        self._table = None if model.ngram_input is None else model.ngram_input.weight
        self._dense = [parameter for parameter in model.parameters() if parameter is not self._table]
        self._max_grad_norm, self._ngram_decay = max_grad_norm, ngram_decay
        self.adamw = torch.optim.AdamW(self._dense, lr=learning_rate, weight_decay=weight_decay)
        self.row_square = torch.zeros(0) if self._table is None else self._table.detach().new_zeros(len(self._table))
        self._num_steps = 0

    def zero_grad(self) -> None:
        """Reset all gradients."""
        for parameter in (*self._dense, *([] if self._table is None else [self._table])):
            parameter.grad = None

    def step(self) -> float:
        """Update all weights by their gradients; return the norm of the dense ones before they are clipped."""
        norm = torch.nn.utils.clip_grad_norm_(self._dense, self._max_grad_norm)
        self.adamw.step()
        self._num_steps += 1
        if self._table is not None and self._table.grad is not None:
            rate = NGRAM_RATE_FACTOR * self.adamw.param_groups[0]["lr"]
            first = self._num_steps % DECAY_EVERY
            self._table.data[first::DECAY_EVERY] *= (1 - rate * self._ngram_decay) ** DECAY_EVERY
            for row in self._table.grad.any(dim=1).nonzero().flatten().tolist():
                grad = self._table.grad[row]
                self.row_square[row] = 0.999 * self.row_square[row] + 0.001 * grad.square().mean()
                scale = (self.row_square[row] / (1 - 0.999**self._num_steps)).sqrt() + 1e-8
                self._table.data[row] -= rate * grad / scale
        return norm.item()
