"""`PackedRows`: the n-gram input of a packed batch and its gradient, by the kernels of `ngram_kernels`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.compute.cpu.gru_layer import as_array, grad_of
from engine.compute.cpu.ngram_kernels import Ids, add_to_candidates, clear, find_rows, scatter
from engine.compute.cpu.packing import PackedBatch
from engine.model.gru import NgramInput
from engine.model.vocab import ORDERS, PAD


def rows_of(packed: PackedBatch, contexts: Tensor) -> Ids:
    """Return the rows of a batch's places, (N, 3); 0 for the rows added to the batch."""
    rows = np.empty((len(packed), len(ORDERS)), dtype=np.int64)
    previous = (packed.previous - len(packed.order)).numpy()  # (N,)
    find_rows(packed.inputs.numpy(), previous, (packed.targets != PAD).numpy(), contexts.numpy(), rows)
    return rows


class PackedRows:
    """The table of one model. Not thread-safe."""

    def __init__(self, ngrams: NgramInput, touched: Tensor | None = None) -> None:
        """Use the table without copying it; count in `touched`, (1 + R,), how often a batch has each row.

        Where that count is zero, so must be the gradient.
        """
        self._ngrams = ngrams
        self._touched = torch.zeros(len(ngrams.weight), dtype=ngrams.weight.dtype) if touched is None else touched
        self._rows = np.empty((0, len(ORDERS)), dtype=np.int64)

    def add_to(self, gates: Tensor, packed: PackedBatch) -> None:
        """Add the rows of a batch to the first layer's `r z m n` (N, 4H)."""
        self._rows = rows_of(packed, self._ngrams.contexts)
        add_to_candidates(as_array(gates), self._rows, self._ngrams.weight.detach().numpy())

    def backward(self, gate_grads: Tensor) -> None:
        """Write the gradient, given that of the last batch by `a b m c` (N, 4H)."""
        grads, touched = grad_of(self._ngrams.weight).numpy(), self._touched.numpy()
        clear(grads, touched)
        scatter(as_array(gate_grads), self._rows, grads, touched)
