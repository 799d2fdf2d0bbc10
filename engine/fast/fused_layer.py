"""`FusedGruLayer`: a `GruLayer` whose steps are one product and one call of a compiled kernel each."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

from engine.fast.gru_layer import GruLayer, by_step, first_rows
from engine.fast.kernels import Rows, add_rows, kernels_for


class FusedGruLayer(GruLayer):
    """Does what `GruLayer` does, within rounding, in less time: rows of gates are fetched from memory once."""

    def __init__(self, rnn: nn.GRU, layer: int, kept: torch.dtype | None = None) -> None:
        """Take the weights of one layer of `rnn`, without copying them; compile what is not compiled yet."""
        super().__init__(rnn, layer, kept)
        self._kernels = kernels_for(rnn.hidden_size)

    def _run_steps(self, counts: list[int], state: Tensor, weight_t: Tensor) -> None:
        """Write gates and states of each step; `state` is carried."""
        before, states = self._states.split_with_sizes([counts[0], len(self._gates)])
        gate_rows, after_rows, state_rows = _by_step(self._gates, counts), _by_step(states, counts), rows_of(state)
        columns = self._gates[:, : 3 * self.hidden_size], states
        for number, (products, after) in enumerate(by_step(counts, *columns)):
            products.addmm_(first_rows(before, after), weight_t)
            self._kernels.run_step(gate_rows[number], state_rows, after_rows[number])
            before = after

    def _go_back(self, counts: list[int], previous: Tensor, above: Tensor, weight: Tensor) -> None:
        """Turn gates into gradients, last step first; `previous` (N, H) is h' row by row."""
        gate_rows, previous_rows, above_rows = (_by_step(rows, counts) for rows in (self._gates, previous, above))
        state_grad, product = rows_of(self._state_grad), rows_of(self._product)
        for number, (grads,) in reversed(list(enumerate(by_step(counts, self._gates[:, : 3 * self.hidden_size])))):
            self._kernels.go_back(gate_rows[number], previous_rows[number], above_rows[number], state_grad, product)
            torch.mm(grads, weight, out=first_rows(self._product, grads))

    def add_grads_to(self, table: Tensor, rows: Tensor) -> None:
        """Add each of the N rows of `a b m c` to a row of `table` (M, 4H), of the weights' dtype; `rows` (N,) int64."""
        add_rows(rows_of(self._gates), rows.numpy(), rows_of(table))


def rows_of(tensor: Tensor) -> Rows:
    """Return an array on the same memory, as the kernels take it."""
    array: Rows = (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def _by_step(tensor: Tensor, counts: list[int]) -> list[Rows]:
    """Return each step's rows of a tensor of N rows."""
    array = rows_of(tensor)
    return [array[end - count : end] for end, count in zip(accumulate(counts), counts, strict=True)]
