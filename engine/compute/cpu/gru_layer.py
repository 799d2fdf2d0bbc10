"""One GRU layer over a packed batch, forward and backward, without autograd.

Cho et al. 2014 (arXiv:1406.1078) as `torch.nn.GRU` has it: the reset gate acts on the *product* with the state. With
x the layer's input, h' the state before and h the state after,

    r = sigmoid(W_ir x + b_ir + W_hr h' + b_hr)         reset
    z = sigmoid(W_iz x + b_iz + W_hz h' + b_hz)         update
    m =                         W_hn h' + b_hn          what the state says about the new one
    n = tanh(   W_in x + b_in + r * m)                  new
    h = (1 - z) * n + z * h'  =  n + z * (h' - n)

**Forward.** Nothing but the products with h' depends on the step before. So W_i x and all biases are there for all N
rows at once before the first step, in one buffer (N, 4H) of the columns `r z m n`, and a step adds one product
h' [W_hr W_hz W_hn]^T to its first 3H columns, and one call of a compiled kernel (`numba_kernels`) turns the columns
into gates where they lie.

**Backward.** Write a bar over what the loss gives as gradient, and a, b, c for the arguments of r, z, n. By the chain
rule, with h_bar complete (from above and from the next step),

    c_bar  = h_bar * A      A = (1 - z) * (1 - n^2)
    m_bar  = h_bar * D      D = A * r
    a_bar  = h_bar * C      C = A * m * r * (1 - r)
    b_bar  = h_bar * Z      Z = (h' - n) * z * (1 - z)
    h'_bar = h_bar * z  +  [a_bar b_bar m_bar] [W_hr; W_hz; W_hn]

A step, last to first, is one call of a compiled kernel, which overwrites `r z m n` by `a b m c`, and one product. The
gradients then stand in (N, 4H), and each weight's gradient is one product over all rows and steps:

    [W_hr; W_hz; W_hn]_bar = [a_bar b_bar m_bar]^T h'       [b_hr; b_hz; b_hn]_bar = column sums of a_bar b_bar m_bar
    [W_ir; W_iz; W_in]_bar = [a_bar b_bar c_bar]^T x        [b_ir; b_iz; b_in]_bar = column sums of a_bar b_bar c_bar

What x is, and so the last line, is the caller's business (`train_step`).

**Precision.** What goes from step to step, h and h_bar, is *carried* in the precision of the weights. What is *kept* of
all N rows, and is multiplied, may be rounded to bfloat16: gates, states, gradients, and copies of the weights. Sums in
products and all that is done to single numbers stay as they are; only what is written is rounded.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

from engine.compute.cpu.numba_kernels import Rows, add_rows, kernels_for
from engine.compute.cpu.packing import PackedBatch
from engine.compute.cpu.workspace import Buffers

_WIDE = 512
"""From this hidden size on, a product of bfloat16 takes 0.7 of the time if the left matrix is laid out beforehand."""


class GruLayer:
    """The layer's weights and its memory of the last forward pass. Called under `torch.no_grad`."""

    def __init__(self, rnn: nn.GRU, layer: int, kept: torch.dtype) -> None:
        """Take the weights of one layer of `rnn`, without copying them; compile what is not compiled yet.

        What is there of all rows is `kept` in this dtype.
        """
        self.weight_ih: nn.Parameter = getattr(rnn, f"weight_ih_l{layer}")  # (3H, E or H)
        self.weight_hh: nn.Parameter = getattr(rnn, f"weight_hh_l{layer}")  # (3H, H)
        self.bias_ih: nn.Parameter = getattr(rnn, f"bias_ih_l{layer}")  # (3H,)
        self.bias_hh: nn.Parameter = getattr(rnn, f"bias_hh_l{layer}")  # (3H,)
        self.hidden_size = rnn.hidden_size
        self._kernels = kernels_for(rnn.hidden_size)
        self._kept, self._carried = Buffers(kept), Buffers(self.weight_hh.dtype)
        self._gates = self._states = torch.empty(0)  # (N, 4H), (B + N, H)
        self._state_grad = self._product = torch.empty(0)  # (B, H) each: h'_bar is their sum

    def combined_bias(self) -> Tensor:
        """Return what all rows of `gates` have in common, (4H,)."""
        size = self.hidden_size
        both = self.bias_ih[: 2 * size] + self.bias_hh[: 2 * size]
        return torch.cat([both, self.bias_hh[2 * size :], self.bias_ih[2 * size :]])

    def gates(self, num_rows: int) -> Tensor:
        """Return the buffer (N, 4H) that the input's part of `r z m n` is to be written to, biases included."""
        self._gates = self._kept.take("gates", num_rows, 4 * self.hidden_size)
        return self._gates

    def forward(self, packed: PackedBatch) -> Tensor:
        """Run through all steps from states of zeros, `gates` having been written to; return the states (N, H)."""
        size, counts = self.hidden_size, packed.row_counts
        state = self._carried.take("state", counts[0], size).zero_()
        self._states = self._kept.take("states", counts[0] + len(packed), size)
        first, states = self._states.split_with_sizes([counts[0], len(packed)])
        first.zero_()
        packed.clear_tail(states)
        weight = self._kept.hold("weight", self.weight_hh)
        self._run_steps(counts, state, self._kept.take("weight_t", size, 3 * size).copy_(weight.t()))
        return states

    def _run_steps(self, counts: list[int], state: Tensor, weight_t: Tensor) -> None:
        """Write gates and states of each step; `state` is carried."""
        before, states = self._states.split_with_sizes([counts[0], len(self._gates)])
        gate_rows, after_rows, state_rows = (
            _rows_by_step(self._gates, counts),
            _rows_by_step(states, counts),
            rows_of(state),
        )
        columns = self._gates[:, : 3 * self.hidden_size], states
        for number, (products, after) in enumerate(_by_step(counts, *columns)):
            products.addmm_(_first_rows(before, after), weight_t)
            self._kernels.run_step(gate_rows[number], state_rows, after_rows[number])
            before = after

    def backward(self, packed: PackedBatch, above: Tensor) -> Tensor:
        """Take the gradient by the states as far as it comes from above, (N, H), and return `a b m c` (N, 4H).

        Sets the gradient of `weight_hh`; those of the other weights are the caller's.
        """
        size, counts = self.hidden_size, packed.row_counts
        previous = self._kept.take("previous", len(packed), size)
        torch.index_select(self._states, 0, packed.previous, out=previous)
        self._state_grad = self._carried.take("state_grad", counts[0], size).zero_()
        self._product = self._kept.take("product", counts[0], size).zero_()
        self._go_back(counts, previous, above, self._kept.hold("weight", self.weight_hh))
        packed.clear_tail(self._gates)
        self.weight_hh.grad = self._carried.hold("weight_grad", self._product_with(previous))
        return self._gates

    def _product_with(self, previous: Tensor) -> Tensor:
        """Return [a_bar b_bar m_bar]^T h', (3H, H)."""
        size, grads = self.hidden_size, self._gates[:, : 3 * self.hidden_size]
        weight_grad = self._kept.take("weight_grad", 3 * size, size)
        if grads.dtype == self.weight_hh.dtype or size < _WIDE:
            return torch.mm(grads.t(), previous, out=weight_grad)
        previous_t = self._kept.take("previous_t", size, len(previous)).copy_(previous.t())
        transposed = torch.mm(previous_t, grads, out=self._kept.take("weight_grad_t", size, 3 * size))
        return weight_grad.copy_(transposed.t())

    def add_grads_to(self, table: Tensor, rows: Tensor) -> None:
        """Add each of the N rows of `a b m c` to a row of `table` (M, 4H), of the weights' dtype; `rows` (N,) int64."""
        add_rows(rows_of(self._gates), rows.numpy(), rows_of(table))

    def _go_back(self, counts: list[int], previous: Tensor, above: Tensor, weight: Tensor) -> None:
        """Turn gates into gradients, last step first; `previous` (N, H) is h' row by row."""
        gate_rows, previous_rows, above_rows = (_rows_by_step(rows, counts) for rows in (self._gates, previous, above))
        state_grad, product = rows_of(self._state_grad), rows_of(self._product)
        for number, (grads,) in reversed(list(enumerate(_by_step(counts, self._gates[:, : 3 * self.hidden_size])))):
            self._kernels.go_back(gate_rows[number], previous_rows[number], above_rows[number], state_grad, product)
            torch.mm(grads, weight, out=_first_rows(self._product, grads))


def rows_of(tensor: Tensor) -> Rows:
    """Return an array on the same memory, as the kernels take it."""
    array: Rows = (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def _rows_by_step(tensor: Tensor, counts: list[int]) -> list[Rows]:
    """Return each step's rows of a tensor of N rows, as the kernels take them."""
    array = rows_of(tensor)
    return [array[end - count : end] for end, count in zip(accumulate(counts), counts, strict=True)]


def _by_step(counts: list[int], *columns: Tensor) -> list[tuple[Tensor, ...]]:
    """Return each step's rows of tensors of N rows."""
    sizes = [*counts, len(columns[0]) - sum(counts)]
    return list(zip(*(column.split_with_sizes(sizes) for column in columns), strict=True))[:-1]


def _first_rows(longer: Tensor, shorter: Tensor) -> Tensor:
    """Return as many rows of `longer` as `shorter` has."""
    return longer if len(longer) == len(shorter) else longer[: len(shorter)]
