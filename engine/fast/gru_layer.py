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

**Precision.** What goes from step to step, h and h_bar, is *carried* in the precision of the weights. What is *kept* of
all N rows, and is multiplied, may be rounded to bfloat16: gates, states, gradients, and copies of the weights. Sums in
products and all that is done to single numbers stay as they are; only what is written is rounded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.fast.buffers import Buffers
from engine.fast.packing import PackedBatch

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # (g, y): g * y * (1 - y)
_tanh_backward = torch.ops.aten.tanh_backward.grad_input  # (g, y): g * (1 - y^2)

_WIDE = 512
"""From this hidden size on, a product of bfloat16 takes 0.7 of the time if the left matrix is laid out beforehand."""


class GruLayer:
    """The layer's weights and its memory of the last forward pass. Called under `torch.no_grad`."""

    def __init__(self, rnn: nn.GRU, layer: int, kept: torch.dtype | None = None) -> None:
        """Take the weights of one layer of `rnn`, without copying them. `kept` is their own dtype, if not given."""
        self.weight_ih: nn.Parameter = getattr(rnn, f"weight_ih_l{layer}")  # (3H, E or H)
        self.weight_hh: nn.Parameter = getattr(rnn, f"weight_hh_l{layer}")  # (3H, H)
        self.bias_ih: nn.Parameter = getattr(rnn, f"bias_ih_l{layer}")  # (3H,)
        self.bias_hh: nn.Parameter = getattr(rnn, f"bias_hh_l{layer}")  # (3H,)
        self.hidden_size = rnn.hidden_size
        self._kept, self._carried = Buffers(kept or self.weight_hh.dtype), Buffers(self.weight_hh.dtype)
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

    def forward(self, packed: PackedBatch, initial: Tensor | None) -> Tensor:
        """Run through all steps from `initial` (B, H), rows as packed, or zeros; return the states (N, H).

        `gates` has been written to.
        """
        size, counts = self.hidden_size, packed.row_counts
        state = self._carried.take("state", counts[0], size)
        state.zero_() if initial is None else state.copy_(initial)
        self._states = self._kept.take("states", counts[0] + len(packed), size)
        first, states = self._states.split_with_sizes([counts[0], len(packed)])
        first.copy_(state)
        packed.clear_tail(states)
        weight = self._kept.hold("weight", self.weight_hh)
        self._run_steps(counts, state, self._kept.take("weight_t", size, 3 * size).copy_(weight.t()))
        return states

    def _run_steps(self, counts: list[int], state: Tensor, weight_t: Tensor) -> None:
        """Write gates and states of each step; `state` is carried."""
        before, states = self._states.split_with_sizes([counts[0], len(self._gates)])
        columns = self._gates[:, : 3 * self.hidden_size], self._gates, states
        for products, gates, after in by_step(counts, *columns):
            products.addmm_(first_rows(before, after), weight_t)
            take_step(gates, state, after)
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

    def initial_grad(self) -> Tensor:
        """Return the gradient by the initial state, (B, H), rows as packed, after `backward`."""
        return self._state_grad + self._product

    def add_grads_to(self, table: Tensor, rows: Tensor) -> None:
        """Add each of the N rows of `a b m c` to a row of `table` (M, 4H), of the weights' dtype; `rows` (N,) int64."""
        if self._gates.dtype == table.dtype:
            table.index_add_(0, rows, self._gates)
            return
        # a long sum would come to nothing if each addition were rounded; that of a product is rounded once
        one_hot = self._kept.take("one_hot", len(rows), len(table)).zero_().scatter_(1, rows.unsqueeze(1), 1)
        table.add_(torch.mm(one_hot.t(), self._gates))

    def _go_back(self, counts: list[int], previous: Tensor, above: Tensor, weight: Tensor) -> None:
        """Turn gates into gradients, last step first; `previous` (N, H) is h' row by row."""
        update = self._turn_gates_into_factors(previous)
        columns = self._gates.view(-1, 4, self.hidden_size), self._gates[:, : 3 * self.hidden_size], update, above
        for factors, grads, kept, from_above in reversed(by_step(counts, *columns)):
            state_grad, product = first_rows(self._state_grad, kept), first_rows(self._product, kept)
            state_grad.add_(product).add_(from_above)
            factors.mul_(state_grad.unsqueeze(1))
            state_grad.mul_(kept)
            torch.mm(grads, weight, out=product)

    def _turn_gates_into_factors(self, previous: Tensor) -> Tensor:
        """Write `C Z D A` over `r z m n`, all (N, ...), and return z."""
        reset, update_gate, from_state, new = self._gates.split_with_sizes([self.hidden_size] * 4, dim=1)
        update, spare = (self._kept.take(name, *previous.shape) for name in ("update", "spare"))
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
    sizes = [*row_counts, len(columns[0]) - sum(row_counts)]
    return list(zip(*(column.split_with_sizes(sizes) for column in columns), strict=True))[:-1]


def first_rows(longer: Tensor, shorter: Tensor) -> Tensor:
    """Return as many rows of `longer` as `shorter` has."""
    return longer if len(longer) == len(shorter) else longer[: len(shorter)]


def take_step(gates: Tensor, state: Tensor, after: Tensor) -> None:
    """Turn a step's sums `r z m n` (n, 4H) into gates, and carry `state` on; n rows of it are written to `after` too.

    The readable twin of `kernels.Kernels.run_step`.
    """
    exact = gates.to(state.dtype)  # `gates` itself, if nothing is rounded
    reset, update, from_state, new = exact.split_with_sizes([state.shape[1]] * 4, dim=1)
    exact[:, : 2 * state.shape[1]].sigmoid_()
    new.addcmul_(reset, from_state).tanh_()
    carried = first_rows(state, after)
    after.copy_(torch.lerp(new, carried, update, out=carried))
    gates.copy_(exact)
