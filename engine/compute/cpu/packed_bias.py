"""`PackedBias`: the n-gram bias of a packed batch and its gradient, by the kernels of `ngram_kernels`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.compute.cpu.gru_layer import grad_of
from engine.compute.cpu.ngram_kernels import Ids, add_bias, clear, find_rows, scatter
from engine.compute.cpu.packing import PackedBatch
from engine.model.ngram_bias import NgramBias
from engine.model.vocab import PAD


def rows_of(packed: PackedBatch, contexts: Tensor) -> Ids:
    """Return the rows of a batch's places, (2, N); 0 for the rows added to the batch."""
    rows = np.empty((2, len(packed)), dtype=np.int64)
    previous = (packed.previous - len(packed.order)).numpy()  # (N,)
    find_rows(packed.inputs.numpy(), previous, (packed.targets != PAD).numpy(), contexts.numpy(), rows)
    return rows


class PackedBias:
    """The table of one model. Not thread-safe."""

    def __init__(self, bias: NgramBias, touched: Tensor | None = None) -> None:
        """Use the table without copying it; count in `touched`, (1 + R,), how often a batch has each row.

        Where that count is zero, so must be the gradient.
        """
        self._bias = bias
        self._touched = torch.zeros(len(bias.weight), dtype=bias.weight.dtype) if touched is None else touched
        self._rows = np.empty((2, 0), dtype=np.int64)

    def add_to(self, logits: Tensor, packed: PackedBatch) -> None:
        """Add the bias to logits (N, V)."""
        self._rows = rows_of(packed, self._bias.contexts)
        add_bias(logits.numpy(), self._rows, self._bias.weight.detach().numpy())

    def backward(self, logit_grads: Tensor, scale: float) -> None:
        """Write the gradient, `scale` times that by the logits of the last batch, (N, V)."""
        grads, touched = grad_of(self._bias.weight).numpy(), self._touched.numpy()
        clear(grads, touched)
        scatter(logit_grads.numpy(), self._rows, scale, grads, touched)
