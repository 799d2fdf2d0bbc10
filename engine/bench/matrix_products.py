"""The float32 matrix products of a training step alone: an upper limit for the speed of any implementation.

They are the fewest that a GRU needs: the input as a lookup in a table of V rows, one product per step forward and one
backward, one for each weight's gradient, none for padding. They have the shapes of the actual batch, because a CPU is
much slower with 32 rows than with 2,000.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from engine.corpus.encoded_tweets import Batch


class MatrixProducts:
    """The products of a model with one layer. Inputs are never overwritten, so that nothing can overflow or vanish."""

    def __init__(self, vocab_size: int, embedding_size: int, hidden_size: int, device: torch.device) -> None:
        """Allocate matrices of the shapes of the weights."""
        self._device = device
        self._embed = torch.randn(vocab_size, embedding_size, device=device)
        self._input = torch.randn(3 * hidden_size, embedding_size, device=device)
        self._recurrent = torch.randn(3 * hidden_size, hidden_size, device=device)
        self._proj = torch.randn(vocab_size, hidden_size, device=device)
        self._table = torch.randn(vocab_size, 3 * hidden_size, device=device)
        self._allocate(1)

    def _allocate(self, num_rows: int) -> None:
        """Allocate inputs and outputs for the products of `num_rows` characters."""
        sizes = {"gates": self._input.shape[0], "states": self._proj.shape[1], "logits": self._proj.shape[0]}
        self._inputs = {name: torch.randn(num_rows, size, device=self._device) for name, size in sizes.items()}
        self._outputs = {name: torch.zeros_like(tensor) for name, tensor in self._inputs.items()}

    @torch.no_grad()
    def step(self, batch: Batch) -> None:
        """Compute the products of one training step on `batch`."""
        if len(self._inputs["gates"]) < batch.num_targets:
            self._allocate(2 * batch.num_targets)
        counts = np.count_nonzero(batch.targets, axis=0).tolist()  # (T,): tweets that have not ended; PAD is 0
        steps = [slice(end - count, end) for count, end in zip(counts, accumulate(counts), strict=True)]
        all_rows = slice(0, batch.num_targets)
        torch.mm(self._embed, self._input.T)  # (V, 3H)
        for rows in steps:
            self._multiply("states", self._recurrent.T, "gates", rows)  # (rows, H) to (rows, 3H)
        self._multiply("states", self._proj.T, "logits", all_rows)  # (N, H) to (N, V)
        self._multiply("logits", self._proj, "states", all_rows)  # (N, V) to (N, H)
        for rows in reversed(steps):
            self._multiply("gates", self._recurrent, "states", rows)  # (rows, 3H) to (rows, H)
        self._gradient("logits", all_rows)  # (V, H)
        self._gradient("gates", all_rows)  # (3H, H)
        torch.mm(self._table.T, self._embed)  # (3H, E)
        torch.mm(self._table, self._input)  # (V, E)

    def _multiply(self, source: str, weight: Tensor, target: str, rows: slice) -> None:
        """Multiply the rows of one input by a weight."""
        torch.mm(self._inputs[source][rows], weight, out=self._outputs[target][rows])

    def _gradient(self, source: str, rows: slice) -> None:
        """Compute the product for the gradient of the weight between the states and `source`."""
        torch.mm(self._inputs[source][rows].T, self._inputs["states"][rows])
