"""Nothing but the float32 matrix products of a training step: the limit of what any way to train can reach.

They are the fewest that a GRU takes: the input as a look-up in a table of V rows, one product a step forward and one
back, one for each weight's gradient, and none for padding. In the shapes of the batch at hand, because a product of
32 rows is far from what the same processor does with 2,000.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from engine.corpus.encoded_tweets import Batch


class MatrixProducts:
    """The products of a model with one layer. Reads numbers that it never overwrites: nothing can grow or vanish."""

    def __init__(self, vocab_size: int, embedding_size: int, hidden_size: int, device: torch.device) -> None:
        """Make matrices of the shapes of the weights."""
        self._device = device
        self._embed = torch.randn(vocab_size, embedding_size, device=device)
        self._input = torch.randn(3 * hidden_size, embedding_size, device=device)
        self._recurrent = torch.randn(3 * hidden_size, hidden_size, device=device)
        self._proj = torch.randn(vocab_size, hidden_size, device=device)
        self._table = torch.randn(vocab_size, 3 * hidden_size, device=device)
        self._make_room(1)

    def _make_room(self, num_rows: int) -> None:
        """Make what is read and what is written by the products of `num_rows` characters."""
        sizes = {"gates": self._input.shape[0], "states": self._proj.shape[1], "logits": self._proj.shape[0]}
        self._given = {name: torch.randn(num_rows, size, device=self._device) for name, size in sizes.items()}
        self._written = {name: torch.zeros_like(given) for name, given in self._given.items()}

    @torch.no_grad()
    def step(self, batch: Batch) -> None:
        """Multiply."""
        if len(self._given["gates"]) < batch.num_targets:
            self._make_room(2 * batch.num_targets)
        counts = np.count_nonzero(batch.targets, axis=0).tolist()  # (T,): tweets that are not over, PAD being 0
        steps = [slice(end - count, end) for count, end in zip(counts, accumulate(counts), strict=True)]
        everything = slice(0, batch.num_targets)
        torch.mm(self._embed, self._input.T)  # (V, 3H)
        for rows in steps:
            self._multiply("states", self._recurrent.T, "gates", rows)  # (rows, H) to (rows, 3H)
        self._multiply("states", self._proj.T, "logits", everything)  # (N, H) to (N, V)
        self._multiply("logits", self._proj, "states", everything)  # (N, V) to (N, H)
        for rows in reversed(steps):
            self._multiply("gates", self._recurrent, "states", rows)  # (rows, 3H) to (rows, H)
        self._gradient("logits", everything)  # (V, H)
        self._gradient("gates", everything)  # (3H, H)
        torch.mm(self._table.T, self._embed)  # (3H, E)
        torch.mm(self._table, self._input)  # (V, E)

    def _multiply(self, of: str, weight: Tensor, to: str, rows: slice) -> None:
        """Write a product of some rows."""
        torch.mm(self._given[of][rows], weight, out=self._written[to][rows])

    def _gradient(self, of: str, rows: slice) -> None:
        """Multiply as for the gradient of the weight between the states and `of`."""
        torch.mm(self._given[of][rows].T, self._given["states"][rows])
