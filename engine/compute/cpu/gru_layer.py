"""One GRU layer over a packed batch, forward and backward, without autograd.

Cho et al. 2014 (arXiv:1406.1078) in the variant of `torch.nn.GRU`: the reset gate acts on the *product* with the state.
With x the layer's input, h' the state before and h the state after,

    r = sigmoid(W_ir x + b_ir + W_hr h' + b_hr)         reset gate
    z = sigmoid(W_iz x + b_iz + W_hz h' + b_hz)         update gate
    m =                         W_hn h' + b_hn          the state's part of the candidate
    n = tanh(   W_in x + b_in + r * m)                  candidate state
    h = (1 - z) * n + z * h'  =  n + z * (h' - n)

**Forward.** Only the products with h' depend on the previous step. So W_i x and all biases are computed for all N rows
at once before the first step, into one buffer (N, 4H) with columns `r z m n`. A step then adds one product,
h' [W_hr W_hz W_hn]^T, to its first 3H columns, and one call of a compiled kernel (`numba_kernels`) turns the columns
into gates in place.

**Backward.** Let x_bar be the gradient of the loss by x, and a, b, c the arguments of r, z, n. By the chain rule, with
h_bar complete (from the layer above and from the next step),

    c_bar  = h_bar * A      A = (1 - z) * (1 - n^2)
    m_bar  = h_bar * D      D = A * r
    a_bar  = h_bar * C      C = A * m * r * (1 - r)
    b_bar  = h_bar * Z      Z = (h' - n) * z * (1 - z)
    h'_bar = h_bar * z  +  [a_bar b_bar m_bar] [W_hr; W_hz; W_hn]

A step, from last to first, is one call of a compiled kernel, which overwrites `r z m n` with the gradients by
`a b m c`, and one product. Each weight's gradient is then one product over all rows of the buffer:

    [W_hr; W_hz; W_hn]_bar = [a_bar b_bar m_bar]^T h'       [b_hr; b_hz; b_hn]_bar = column sums of a_bar b_bar m_bar
    [W_ir; W_iz; W_in]_bar = [a_bar b_bar c_bar]^T x        [b_ir; b_iz; b_in]_bar = column sums of a_bar b_bar c_bar

The last line is computed by the caller (`projections`), where x is available.

**Precision.** The recurrent quantities h and h_bar keep the precision of the weights. Whatever is stored for all N rows
and multiplied (gates, states, gradients, copies of the weights) may be rounded to bfloat16, the `storage_dtype`. Sums
and elementwise operations are done in full precision and rounded when stored.

**Calls.** Without rounding, all steps are one call of compiled code (`recurrence`). The CPU's instructions for products
in bfloat16 are used by PyTorch only, so there a step is one product of PyTorch's and one call of a kernel.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn

from engine.compute.cpu.numba_kernels import Rows, add_rows, kernels_for
from engine.compute.cpu.packing import PackedBatch
from engine.compute.cpu.recurrence import recurrence_for
from engine.compute.cpu.tile_product import pack, panels_shape
from engine.compute.cpu.workspace import Buffers

_WIDE = 512
"""From this hidden size on, a bfloat16 product takes 0.7 of the time if its left matrix is transposed in advance."""


class GruLayer:
    """The layer's weights and the buffers of its last forward pass. Called under `torch.no_grad`."""

    def __init__(self, rnn: nn.GRU, layer: int, storage_dtype: torch.dtype) -> None:
        """Use the weights of one layer of `rnn` without copying them; compile the kernels if needed."""
        self.weight_ih: nn.Parameter = getattr(rnn, f"weight_ih_l{layer}")  # (3H, E or H)
        self.weight_hh: nn.Parameter = getattr(rnn, f"weight_hh_l{layer}")  # (3H, H)
        self.bias_ih: nn.Parameter = getattr(rnn, f"bias_ih_l{layer}")  # (3H,)
        self.bias_hh: nn.Parameter = getattr(rnn, f"bias_hh_l{layer}")  # (3H,)
        self.hidden_size = rnn.hidden_size
        self._kernels = kernels_for(rnn.hidden_size)
        self._recurrence = recurrence_for(rnn.hidden_size) if storage_dtype == self.weight_hh.dtype else None
        self._stored, self._full = Buffers(storage_dtype), Buffers(self.weight_hh.dtype)
        self._gates = self._states = torch.empty(0)  # (N, 4H), (B + N, H)
        self._state_grad = self._product = torch.empty(0)  # (B, H) each: h'_bar is their sum

    def combined_bias(self) -> Tensor:
        """Return the biases in the columns `r z m n`, (4H,)."""
        size = self.hidden_size
        both = self.bias_ih[: 2 * size] + self.bias_hh[: 2 * size]
        return torch.cat([both, self.bias_hh[2 * size :], self.bias_ih[2 * size :]])

    def gates(self, num_rows: int) -> Tensor:
        """Return the buffer (N, 4H) to write the input's part of `r z m n` to, biases included."""
        self._gates = self._stored.get("gates", num_rows, 4 * self.hidden_size)
        return self._gates

    def forward(self, packed: PackedBatch) -> Tensor:
        """Run all steps from a zero state; the caller has filled `gates`. Returns the states (N, H)."""
        size, counts = self.hidden_size, packed.row_counts
        state = self._full.get("state", counts[0], size).zero_()
        self._states = self._stored.get("states", counts[0] + len(packed), size)
        first, states = self._states.split_with_sizes([counts[0], len(packed)])
        first.zero_()
        packed.zero_tail(states)
        if self._recurrence is not None:
            arrays = as_array(self._gates), as_array(state), as_array(states), self._panels(self.weight_hh.t())
            self._recurrence.forward(np.array(counts), *arrays)
            return states
        weight = self._stored.cast("weight", self.weight_hh)
        self._forward_steps(counts, state, self._stored.get("weight_t", size, 3 * size).copy_(weight.t()))
        return states

    def _panels(self, weight: Tensor) -> Rows:
        """Return weights (K, M) as panels."""
        panels = as_array(self._full.get("panels", *panels_shape(*weight.shape)))
        pack(as_array(weight.detach()), panels)
        return panels

    def _forward_steps(self, counts: list[int], state: Tensor, weight_t: Tensor) -> None:
        """Compute gates and states of each step; `state` (B, H) is updated in place."""
        before, states = self._states.split_with_sizes([counts[0], len(self._gates)])
        gate_rows, after_rows, state_rows = (
            _arrays_by_step(self._gates, counts),
            _arrays_by_step(states, counts),
            as_array(state),
        )
        columns = self._gates[:, : 3 * self.hidden_size], states
        for number, (products, after) in enumerate(_by_step(counts, *columns)):
            products.addmm_(_first_rows(before, after), weight_t)
            self._kernels.forward_step(gate_rows[number], state_rows, after_rows[number])
            before = after

    def backward(self, packed: PackedBatch, output_grads: Tensor) -> Tensor:
        """Return the gradient by `a b m c` (N, 4H), given that by the states from the layer above, (N, H).

        Writes the gradient of `weight_hh`; the caller computes those of the other weights.
        """
        size, counts = self.hidden_size, packed.row_counts
        previous = self._stored.get("previous", len(packed), size)
        torch.index_select(self._states, 0, packed.previous, out=previous)
        self._state_grad = self._full.get("state_grad", counts[0], size).zero_()
        self._product = self._stored.get("product", counts[0], size).zero_()
        if self._recurrence is None:
            self._backward_steps(counts, previous, output_grads, self._stored.cast("weight", self.weight_hh))
        else:
            gates, before, above = as_array(self._gates), as_array(previous), as_array(output_grads)
            sums = as_array(self._state_grad), as_array(self._product)
            self._recurrence.backward(np.array(counts), gates, before, above, *sums, self._panels(self.weight_hh))
        packed.zero_tail(self._gates)
        self._write_weight_grad(previous, grad_of(self.weight_hh))
        return self._gates

    def _write_weight_grad(self, previous: Tensor, out: Tensor) -> None:
        """Write the gradient of `weight_hh`, [a_bar b_bar m_bar]^T h', to `out` (3H, H)."""
        size, grads = self.hidden_size, self._gates[:, : 3 * self.hidden_size]
        if grads.dtype == out.dtype:
            torch.mm(grads.t(), previous, out=out)
        elif size < _WIDE:
            out.copy_(torch.mm(grads.t(), previous, out=self._stored.get("weight_grad", *out.shape)))
        else:
            previous_t = self._stored.get("previous_t", size, len(previous)).copy_(previous.t())
            out.copy_(torch.mm(previous_t, grads, out=self._stored.get("weight_grad_t", size, 3 * size)).t())

    def add_grads_to(self, table: Tensor, rows: Tensor) -> None:
        """Add row i of the gradient by `a b m c` to row `rows[i]` of `table`.

        `rows` (N,) int64; `table` (M, 4H) in the weights' dtype.
        """
        add_rows(as_array(self._gates), rows.numpy(), as_array(table))

    def _backward_steps(self, counts: list[int], previous: Tensor, output_grads: Tensor, weight: Tensor) -> None:
        """Overwrite the gates with gradients, from the last step to the first; `previous` (N, H) is h' of each row."""
        gate_rows, previous_rows, output_grad_rows = (
            _arrays_by_step(rows, counts) for rows in (self._gates, previous, output_grads)
        )
        state_grad, product = as_array(self._state_grad), as_array(self._product)
        for number, (grads,) in reversed(list(enumerate(_by_step(counts, self._gates[:, : 3 * self.hidden_size])))):
            self._kernels.backward_step(
                gate_rows[number], previous_rows[number], output_grad_rows[number], state_grad, product
            )
            torch.mm(grads, weight, out=_first_rows(self._product, grads))


def grad_of(parameter: Tensor) -> Tensor:
    """Return the memory of a parameter's gradient, allocated if needed."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def as_array(tensor: Tensor) -> Rows:
    """Return an array for the kernels that shares the tensor's memory; bfloat16 becomes uint16."""
    array: Rows = (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def _arrays_by_step(tensor: Tensor, counts: list[int]) -> list[Rows]:
    """Return the rows of each step of a tensor of N rows, as arrays for the kernels."""
    array = as_array(tensor)
    return [array[end - count : end] for end, count in zip(accumulate(counts), counts, strict=True)]


def _by_step(counts: list[int], *columns: Tensor) -> list[tuple[Tensor, ...]]:
    """Return the rows of each step of tensors of N rows, without the padding at the end."""
    sizes = [*counts, len(columns[0]) - sum(counts)]
    return list(zip(*(column.split_with_sizes(sizes) for column in columns), strict=True))[:-1]


def _first_rows(longer: Tensor, shorter: Tensor) -> Tensor:
    """Return the first `len(shorter)` rows of `longer`."""
    return longer if len(longer) == len(shorter) else longer[: len(shorter)]
