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
h' [W_hr W_hz W_hn]^T to its first 3H columns and turns the columns into gates where they lie.

**Backward.** Write a bar over what the loss gives as gradient, and a, b, c for the arguments of r, z, n. By the chain
rule, with h_bar complete (from above and from the next step),

    c_bar  = h_bar * A      A = (1 - z) * (1 - n^2)
    m_bar  = h_bar * D      D = A * r
    a_bar  = h_bar * C      C = A * m * r * (1 - r)
    b_bar  = h_bar * Z      Z = (h' - n) * z * (1 - z)
    h'_bar = h_bar * z  +  [a_bar b_bar m_bar] [W_hr; W_hz; W_hn]

A, C, D and Z hold no gradient: they are worked out for all N rows at once and overwrite `n r m z`. What is left for a
step, last to first, is: h_bar times the four factors, h_bar * z, and one product. The gradients then stand in (N, 4H)
as `a b m c`, and each weight's gradient is one product over all rows and steps:

    [W_hr; W_hz; W_hn]_bar = [a_bar b_bar m_bar]^T h'       [b_hr; b_hz; b_hn]_bar = column sums of a_bar b_bar m_bar
    [W_ir; W_iz; W_in]_bar = [a_bar b_bar c_bar]^T x        [b_ir; b_iz; b_in]_bar = column sums of a_bar b_bar c_bar

What x is, and so the last line, is the caller's business (`gru_step`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.fast.buffers import Buffers
from engine.fast.packing import PackedBatch

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # (g, y): g * y * (1 - y)
_tanh_backward = torch.ops.aten.tanh_backward.grad_input  # (g, y): g * (1 - y^2)


class GruLayer:
    """The layer's weights and its memory of the last forward pass. Called under `torch.no_grad`."""

    def __init__(self, rnn: nn.GRU, layer: int) -> None:
        """Take the weights of one layer of `rnn`, without copying them."""
        self.weight_ih: nn.Parameter = getattr(rnn, f"weight_ih_l{layer}")  # (3H, E or H)
        self.weight_hh: nn.Parameter = getattr(rnn, f"weight_hh_l{layer}")  # (3H, H)
        self.bias_ih: nn.Parameter = getattr(rnn, f"bias_ih_l{layer}")  # (3H,)
        self.bias_hh: nn.Parameter = getattr(rnn, f"bias_hh_l{layer}")  # (3H,)
        self.hidden_size = rnn.hidden_size
        self._buffers = Buffers(self.weight_hh.dtype)
        self._gates = torch.empty(0)
        self._states = torch.empty(0)

    def combined_bias(self) -> Tensor:
        """Return what all rows of `gates` have in common, (4H,)."""
        size = self.hidden_size
        both = self.bias_ih[: 2 * size] + self.bias_hh[: 2 * size]
        return torch.cat([both, self.bias_hh[2 * size :], self.bias_ih[2 * size :]])

    def gates(self, num_rows: int) -> Tensor:
        """Return the buffer (N, 4H) that the input's part of `r z m n` is to be written to, biases included."""
        self._gates = self._buffers.take("gates", num_rows, 4 * self.hidden_size)
        return self._gates

    def forward(self, packed: PackedBatch, initial: Tensor | None) -> Tensor:
        """Run through all steps from `initial` (B, H), rows as packed, or zeros; return the states (N, H).

        `gates` has been written to.
        """
        size, counts = self.hidden_size, packed.row_counts
        weight_t = self._buffers.take("weight_t", size, 3 * size).copy_(self.weight_hh.t())
        self._states = self._buffers.take("states", counts[0] + len(packed), size)
        before, states = self._states[: counts[0]], self._states[counts[0] :]
        before.zero_() if initial is None else before.copy_(initial)
        self._run_steps(counts, weight_t)
        return states

    def _run_steps(self, counts: list[int], weight_t: Tensor) -> None:
        """Write the states after each step."""
        size = self.hidden_size
        before, states = self._states[: counts[0]], self._states[counts[0] :]
        columns = self._gates[:, : 3 * size], self._gates[:, : 2 * size], *self._blocks(), states
        for products, sigmoids, reset, update, from_state, new, state in by_step(counts, *columns):
            products.addmm_(first_rows(before, state), weight_t)
            sigmoids.sigmoid_()
            new.addcmul_(reset, from_state).tanh_()
            before = torch.lerp(new, first_rows(before, state), update, out=state)

    def backward(self, packed: PackedBatch, state_grads: Tensor, initial_grad: Tensor | None) -> Tensor:
        """Take the gradient of the loss by the states, (N, H), which is overwritten, and return `a b m c` (N, 4H).

        The gradient by the initial state is added to `initial_grad` (B, H), where it is wanted. Sets the gradient of
        `weight_hh`; those of the other weights are the caller's.
        """
        size, counts = self.hidden_size, packed.row_counts
        previous = self._buffers.take("previous", len(packed), size)
        torch.index_select(self._states, 0, packed.previous, out=previous)
        first_grad = self._buffers.take("first_grad", counts[0], size).zero_() if initial_grad is None else initial_grad
        self._go_back(counts, previous, state_grads, [first_grad, *state_grads.split_with_sizes(counts)])
        weight_grad = self._buffers.take("weight_hh_grad", 3 * size, size)
        self.weight_hh.grad = torch.mm(self._gates[:, : 3 * size].t(), previous, out=weight_grad)
        return self._gates

    def _go_back(self, counts: list[int], previous: Tensor, state_grads: Tensor, into: list[Tensor]) -> None:
        """Turn gates into gradients; `previous` (N, H) is h' row by row, `into[t]` takes what step t gives to h'."""
        update = self._turn_gates_into_factors(previous)
        columns = self._gates.view(-1, 4, self.hidden_size), self._gates[:, : 3 * self.hidden_size], update
        steps = by_step(counts, state_grads, *columns)
        for (grad, factors, products, kept), before_grad in reversed(list(zip(steps, into[:-1], strict=True))):
            factors.mul_(grad.unsqueeze(1))
            first_rows(before_grad, grad).addcmul_(grad, kept).addmm_(products, self.weight_hh)

    def _blocks(self) -> list[Tensor]:
        """Return the columns `r z m n`, (N, H) each."""
        return list(self._gates.split_with_sizes([self.hidden_size] * 4, dim=1))

    def _turn_gates_into_factors(self, previous: Tensor) -> Tensor:
        """Write `C Z D A` over `r z m n`, all (N, ...), and return z."""
        reset, update_gate, from_state, new = self._blocks()
        update, spare = (self._buffers.take(name, *previous.shape) for name in ("update", "spare"))
        update.copy_(update_gate)
        torch.sub(previous, new, out=spare)
        _sigmoid_backward(spare, update, grad_input=update_gate)
        torch.sub(1, update, out=spare)
        _tanh_backward(spare, new, grad_input=new)
        torch.mul(from_state, new, out=spare)
        torch.mul(new, reset, out=from_state)
        _sigmoid_backward(spare, reset, grad_input=reset)
        return update


def by_step(row_counts: list[int], *columns: Tensor) -> list[tuple[Tensor, ...]]:
    """Return each step's rows of tensors of N rows."""
    return list(zip(*(column.split_with_sizes(row_counts) for column in columns), strict=True))


def first_rows(longer: Tensor, shorter: Tensor) -> Tensor:
    """Return as many rows of `longer` as `shorter` has."""
    return longer if len(longer) == len(shorter) else longer[: len(shorter)]
