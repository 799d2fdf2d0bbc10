"""`ReferenceOptimizer`: the update of a model with an n-gram table by torch's own optimizers, in the readable way."""

from __future__ import annotations

import torch

from engine.compute.lazy_adam import RATE_FACTOR
from engine.model.gru import TextGenerator


class ReferenceOptimizer:
    """Clipping and AdamW of all weights but the table, which has `torch.optim.SparseAdam`."""

    def __init__(self, model: TextGenerator, learning_rate: float, weight_decay: float, max_grad_norm: float) -> None:
        self._table = None if model.ngram_bias is None else model.ngram_bias.weight
        self._dense = [parameter for parameter in model.parameters() if parameter is not self._table]
        self._max_grad_norm = max_grad_norm
        self.adamw = torch.optim.AdamW(self._dense, lr=learning_rate, weight_decay=weight_decay)
        tables = [] if self._table is None else [self._table]
        self.of_table = torch.optim.SparseAdam(tables, lr=RATE_FACTOR * learning_rate) if tables else None

    def zero_grad(self) -> None:
        """Reset all gradients."""
        for parameter in (*self._dense, *([] if self._table is None else [self._table])):
            parameter.grad = None

    def step(self) -> None:
        """Update all weights by their gradients."""
        torch.nn.utils.clip_grad_norm_(self._dense, self._max_grad_norm)
        self.adamw.step()
        if self._table is not None and self._table.grad is not None and self.of_table is not None:
            rows = self._table.grad.any(dim=1).nonzero().T  # (1, touched)
            values = self._table.grad[rows[0]]
            self._table.grad = torch.sparse_coo_tensor(
                rows, values, self._table.shape, is_coalesced=True, check_invariants=True
            )
            self.of_table.step()  # type: ignore[no-untyped-call] # torch leaves it untyped
            self._table.grad = None
