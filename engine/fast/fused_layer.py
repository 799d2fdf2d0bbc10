"""`FusedGruLayer`: a `GruLayer` whose steps are one product and one call of a compiled kernel each."""

from __future__ import annotations

from itertools import accumulate

from torch import Tensor, nn

from engine.fast.gru_layer import GruLayer, first_rows
from engine.fast.kernels import Rows, kernels_for


class FusedGruLayer(GruLayer):
    """Does what `GruLayer` does, within rounding, in less time: rows of gates are fetched from memory once."""

    def __init__(self, rnn: nn.GRU, layer: int) -> None:
        """Take the weights of one layer of `rnn`, without copying them; compile what is not compiled yet."""
        super().__init__(rnn, layer)
        self._kernels = kernels_for(rnn.hidden_size)

    def _run_steps(self, counts: list[int], weight_t: Tensor) -> None:
        """Write the states after each step."""
        first, states = self._states.split_with_sizes([counts[0], len(self._gates)])
        befores = [first, *states.split_with_sizes(counts)]
        state_rows = [first.numpy(), *_by_step(states, counts)]
        gate_rows = _by_step(self._gates, counts)
        for number, products in enumerate(self._gates[:, : 3 * self.hidden_size].split_with_sizes(counts)):
            products.addmm_(first_rows(befores[number], products), weight_t)
            self._kernels.run_step(gate_rows[number], state_rows[number], state_rows[number + 1])

    def _go_back(self, counts: list[int], previous: Tensor, state_grads: Tensor, into: list[Tensor]) -> None:
        """Turn gates into gradients; `previous` (N, H) is h' row by row, `into[t]` takes what step t gives to h'."""
        gate_rows, previous_rows = _by_step(self._gates, counts), _by_step(previous, counts)
        grad_rows = [into[0].numpy(), *_by_step(state_grads, counts)]
        products = self._gates[:, : 3 * self.hidden_size].split_with_sizes(counts)
        for number in reversed(range(len(counts))):
            self._kernels.go_back(gate_rows[number], previous_rows[number], grad_rows[number + 1], grad_rows[number])
            first_rows(into[number], products[number]).addmm_(products[number], self.weight_hh)


def _by_step(rows: Tensor, counts: list[int]) -> list[Rows]:
    """Return each step's rows of a tensor of N rows, as arrays on the same memory."""
    array = rows.numpy()
    return [array[end - count : end] for end, count in zip(accumulate(counts), counts, strict=True)]
