"""The layers of a training step on the CPU, forward and backward, over a packed batch and without autograd.

**The GRU** is that of Cho et al. 2014 (arXiv:1406.1078), in the variant of `torch.nn.GRU`: the reset gate acts on the
*product* with the state. With x the layer's input, h' the state before and h the state after,

    r = sigmoid(W_ir x + b_ir + W_hr h' + b_hr)         reset gate
    z = sigmoid(W_iz x + b_iz + W_hz h' + b_hz)         update gate
    m =                         W_hn h' + b_hn          the state's part of the candidate
    n = tanh(   W_in x + b_in + r * m)                  candidate state
    h = (1 - z) * n + z * h'  =  n + z * (h' - n)

**Forward.** Only the products with h' depend on the previous step. So W_i x and all biases are computed for all N rows
at once before the first step, into one buffer (N, 4H) with columns `r z m n`. A step then adds one product,
h' [W_hr W_hz W_hn]^T, to its first 3H columns, and one call of a compiled kernel turns the columns into gates in place.

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

The last line is computed by `InputProjection`, where x is available.

**Precision.** The recurrent quantities h and h_bar keep the precision of the weights. Whatever is stored for all N rows
and multiplied (gates, states, gradients, copies of the weights) may be rounded to bfloat16, the `storage_dtype`. Sums
and elementwise operations are done in full precision and rounded when stored.

**Calls.** Without rounding, all steps are one call of compiled code (`products`). The CPU's instructions for products
in bfloat16 are used by PyTorch only, so there a step is one product of PyTorch's and one call of a kernel.

**The projections.** With x (M, E or H) and G the gradient (M, 4H) by `r z m n` that `GruLayer.backward` returns, W_ih x
fills the columns `r z` and `n`, and backward

    W_ih_bar = [G_r G_z G_n]^T x        x_bar = [G_r G_z G_n] W_ih

In the first layer, x is the embedding matrix itself, M = V. A vocabulary is small, so the layer's input is computed
once per character as a table, the input of the N rows is a lookup in it, and the gradients of equal characters are
summed before the two products.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from engine.compute.cpu.kernels import Rows, add_rows, kernels_for, to_loss_grads
from engine.compute.cpu.packed_batch import PackedBatch
from engine.compute.cpu.products import pack, panels_shape, recurrence_for


class Buffers:
    """Tensors of one dtype on the CPU. The content of a buffer is undefined until it is written."""

    def __init__(self, dtype: torch.dtype) -> None:
        """Start without buffers; they grow with the largest batch."""
        self._dtype = dtype
        self._flat: dict[str, Tensor] = {}

    def cast(self, name: str, tensor: Tensor) -> Tensor:
        """Return `tensor` itself if it has this dtype, else a rounded copy in the buffer of this name."""
        return tensor if tensor.dtype == self._dtype else self.get(name, *tensor.shape).copy_(tensor)

    def like(self, name: str, tensor: Tensor) -> Tensor:
        """Return `tensor` itself if it has this dtype, else the buffer of this name in its shape."""
        return tensor if tensor.dtype == self._dtype else self.get(name, *tensor.shape)

    def get(self, name: str, *shape: int) -> Tensor:
        """Return the buffer of this name in this shape, contiguous; earlier views of the same name share its memory."""
        size = math.prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.numel() < size:
            # twice the size: pages that are never written take no memory, but each outgrown buffer leaves a hole
            flat = self._flat[name] = torch.empty(2 * size, dtype=self._dtype)
        return flat[:size].view(shape)


def grad_of(parameter: Tensor) -> Tensor:
    """Return the memory of a parameter's gradient, allocated if needed."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def as_array(tensor: Tensor) -> Rows:
    """Return an array for the kernels that shares the tensor's memory; bfloat16 becomes uint16."""
    array: Rows = (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


_WIDE = 512
"""From this hidden size on, a bfloat16 product takes 0.7 of the time if its left matrix is transposed in advance."""


class GruLayer:
    """The layer's weights and the buffers of its last forward pass. Called under `torch.no_grad`."""

    def __init__(self, rnn: nn.GRU, layer: int, storage_dtype: torch.dtype) -> None:
        """Use the weights of one layer of `rnn` without copying them; compile the kernels if needed."""
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = rnn.all_weights[layer]
        """(3H, E or H), (3H, H), (3H,), (3H,)"""
        self.hidden_size = rnn.hidden_size
        self._kernels = kernels_for(rnn.hidden_size)
        self._recurrence = recurrence_for(rnn.hidden_size) if storage_dtype == self.weight_hh.dtype else None
        self._stored, self._full = Buffers(storage_dtype), Buffers(self.weight_hh.dtype)
        self._gates = self._states = torch.empty(0)  # (N, 4H), (B + N, H)

    def gates(self, num_rows: int) -> Tensor:
        """Return the buffer (N, 4H) to write the input's part of `r z m n` to, biases included."""
        self._gates = self._stored.get("gates", num_rows, 4 * self.hidden_size)
        return self._gates

    def forward(self, packed: PackedBatch) -> Tensor:
        """Run all steps from a zero state; the caller has filled `gates`. Returns the states (N, H)."""
        size, counts = self.hidden_size, packed.row_counts
        state = self._full.get("state", counts[0], size).zero_()  # (B, H), updated in place
        self._states = self._stored.get("states", counts[0] + len(packed), size)
        before, states = self._states.split_with_sizes([counts[0], len(packed)])
        before.zero_()
        packed.zero_tail(states)
        arrays = as_array(self._gates), as_array(state), as_array(states)
        if self._recurrence is not None:
            self._recurrence.forward(np.array(counts), *arrays, self._panels(self.weight_hh.t()))
            return states
        weight = self._stored.cast("weight", self.weight_hh)
        weight_t = self._stored.get("weight_t", size, 3 * size).copy_(weight.t())
        first = 0
        for products, after in _by_step(counts, self._gates[:, : 3 * size], states):
            products.addmm_(_first_rows(before, after), weight_t)
            self._kernels.forward_step(*arrays, first, len(after))
            before = after
            first += len(after)
        return states

    def _panels(self, weight: Tensor) -> Rows:
        """Return weights (K, M) as panels."""
        panels = self._full.get("panels", *panels_shape(*weight.shape))
        pack(weight.detach(), panels)
        return as_array(panels)

    def backward(self, packed: PackedBatch, output_grads: Tensor) -> Tensor:
        """Return the gradient by `a b m c` (N, 4H), given that by the states from the layer above, (N, H).

        Writes the gradient of `weight_hh`; the caller computes those of the other weights.
        """
        size, counts = self.hidden_size, packed.row_counts
        previous = self._stored.get("previous", len(packed), size)  # (N, H): h' of each row
        torch.index_select(self._states, 0, packed.previous, out=previous)
        state_grad = self._full.get("state_grad", counts[0], size).zero_()  # (B, H) as `product`: h'_bar is their sum
        product = self._stored.get("product", counts[0], size).zero_()
        rows = as_array(self._gates), as_array(previous), as_array(output_grads)
        sums = as_array(state_grad), as_array(product)
        grads = self._gates[:, : 3 * size]  # (N, 3H), once the gates are overwritten
        if self._recurrence is not None:
            self._recurrence.backward(np.array(counts), *rows, *sums, self._panels(self.weight_hh))
        else:
            weight, first = self._stored.cast("weight", self.weight_hh), sum(counts)
            for (step_grads,) in reversed(_by_step(counts, grads)):
                first -= len(step_grads)
                self._kernels.backward_step(*rows, *sums, first, len(step_grads))
                torch.mm(step_grads, weight, out=_first_rows(product, step_grads))
        packed.zero_tail(self._gates)
        weight_grad = grad_of(self.weight_hh)  # (3H, H)
        if grads.dtype == weight_grad.dtype:
            torch.mm(grads.t(), previous, out=weight_grad)
        elif size < _WIDE:
            weight_grad.copy_(torch.mm(grads.t(), previous, out=self._stored.get("weight_grad", *weight_grad.shape)))
        else:
            previous_t = self._stored.get("previous_t", size, len(previous)).copy_(previous.t())
            weight_grad.copy_(torch.mm(previous_t, grads, out=self._stored.get("weight_grad_t", size, 3 * size)).t())
        return self._gates


def _by_step(counts: list[int], *columns: Tensor) -> list[tuple[Tensor, ...]]:
    """Return the rows of each step of tensors of N rows, without the padding at the end."""
    sizes = [*counts, len(columns[0]) - sum(counts)]
    return list(zip(*(column.split_with_sizes(sizes) for column in columns), strict=True))[:-1]


def _first_rows(longer: Tensor, shorter: Tensor) -> Tensor:
    """Return the first `len(shorter)` rows of `longer`."""
    return longer if len(longer) == len(shorter) else longer[: len(shorter)]


class InputProjection:
    """The products of one layer with its input."""

    def __init__(self, layer: GruLayer, storage_dtype: torch.dtype | None = None) -> None:
        """Project the input of `layer`; inputs and gates have `storage_dtype`, by default the weights' own dtype."""
        self._layer = layer
        self._stored = Buffers(storage_dtype or layer.weight_ih.dtype)
        self._weight = layer.weight_ih.detach()  # (3H, E or H), in the dtype of the last `write`

    def write(self, inputs: Tensor, out: Tensor) -> None:
        """Write the input's part of `r z m n` to `out` (M, 4H); `inputs` (M, E or H)."""
        gates, new = 2 * self._layer.hidden_size, 3 * self._layer.hidden_size
        self._weight = self._stored.cast("weight", self._layer.weight_ih.detach())
        bias_ih, bias_hh = self._layer.bias_ih, self._layer.bias_hh
        out.copy_(torch.cat([bias_ih[:gates] + bias_hh[:gates], bias_hh[gates:], bias_ih[gates:]]))
        out[:, :gates].addmm_(inputs, self._weight[:gates].t())
        out[:, new:].addmm_(inputs, self._weight[gates:].t())

    def backward(self, inputs: Tensor, grads: Tensor, input_grad: Tensor | None = None) -> Tensor:
        """Write the gradients of `weight_ih` and the biases; return the gradient by `inputs` (M, E or H).

        `grads` (M, 4H) is the gradient by `r z m n`. With `input_grad`, the result is added to that.
        """
        gates, new = 2 * self._layer.hidden_size, 3 * self._layer.hidden_size
        of_gates, of_new = grads[:, :gates], grads[:, new:]
        weight_grad = grad_of(self._layer.weight_ih)
        product = self._stored.like("weight_grad", weight_grad)
        torch.mm(of_gates.t(), inputs, out=product[:gates])
        torch.mm(of_new.t(), inputs, out=product[gates:])
        if product is not weight_grad:
            weight_grad.copy_(product)
        bias_ih_grad, bias_hh_grad = grad_of(self._layer.bias_ih), grad_of(self._layer.bias_hh)
        sums = grads.sum(dim=0, dtype=bias_ih_grad.dtype)  # (4H,)
        bias_hh_grad.copy_(sums[:new])
        torch.cat([sums[:gates], sums[new:]], out=bias_ih_grad)
        if input_grad is None:
            input_grad = torch.mm(of_gates, self._weight[:gates], out=self._stored.get("input_grad", *inputs.shape))
        else:
            input_grad.addmm_(of_gates, self._weight[:gates])
        return input_grad.addmm_(of_new, self._weight[gates:])


class TokenInput:
    """The first layer's input, characters. Its table is computed in the weights' dtype and rounded afterwards."""

    def __init__(self, embed: nn.Embedding, layer: GruLayer, storage_dtype: torch.dtype, *, is_tied: bool) -> None:
        """Use the embedding without copying it; gates have `storage_dtype`.

        With `is_tied`, the gradient is added to the one that `OutputLoss` has written for the same matrix.
        """
        self._embed, self._layer, self._is_tied = embed, layer, is_tied
        self._projection = InputProjection(layer)
        self._stored = Buffers(storage_dtype)
        self._table = torch.empty(embed.num_embeddings, 4 * layer.hidden_size, dtype=embed.weight.dtype)

    def write(self, packed: PackedBatch, out: Tensor) -> None:
        """Write the input's part of `r z m n` to `out` (N, 4H)."""
        self._projection.write(self._embed.weight, self._table)
        torch.index_select(self._stored.cast("table", self._table), 0, packed.inputs, out=out)

    def backward(self, packed: PackedBatch, grads: Tensor) -> None:
        """Write the gradients of the embedding and of `weight_ih`; `grads` (N, 4H) is the gradient by `r z m n`."""
        add_rows(as_array(grads), packed.inputs.numpy(), as_array(self._table.zero_()))
        grad = grad_of(self._embed.weight)
        self._projection.backward(self._embed.weight, self._table, grad if self._is_tied else grad.zero_())


class OutputLoss:
    """The projection to logits and the mean cross-entropy.

    With p the softmax of a row of logits and S the targets of the whole step, the gradient by that row is
    (p - one_hot(target)) / S, and zero for a row added to the batch. The factor 1 / S is applied in the products that
    follow.
    """

    def __init__(self, proj: nn.Linear, storage_dtype: torch.dtype) -> None:
        """Use the projection without copying it; states have `storage_dtype`."""
        self._proj = proj
        self._stored, self._full = Buffers(storage_dtype), Buffers(proj.weight.dtype)

    def loss_and_grads(self, states: Tensor, packed: PackedBatch) -> tuple[Tensor, Tensor]:
        """Return the loss, () in nats per target of the step, and its gradient by the states, (N, H), of states (N, H).

        Writes the gradients of the projection.
        """
        scale = 1 / packed.total_targets
        weight, bias = (self._stored.cast(name, getattr(self._proj, name)) for name in ("weight", "bias"))
        products = self._stored.get("products", len(packed), self._proj.out_features)
        torch.addmm(bias, states, weight.t(), out=products)
        logit_grads, losses = self._full.cast("logits", products), self._full.get("losses", len(packed))
        to_loss_grads(logit_grads.numpy(), packed.targets.numpy(), losses.numpy())
        torch.sum(logit_grads, dim=0, out=grad_of(self._proj.bias)).mul_(scale)
        stored_grads = products.copy_(logit_grads)
        weight_grad, grads = grad_of(self._proj.weight), self._stored.get("s", *states.shape)
        product = self._stored.like("w", weight_grad)
        torch.addmm(product, stored_grads.t(), states, beta=0, alpha=scale, out=product)
        if product is not weight_grad:
            weight_grad.copy_(product)
        torch.addmm(grads, stored_grads, weight, beta=0, alpha=scale, out=grads)
        return losses.sum() / packed.total_targets, grads


class Dropout:
    """Dropout and its backward pass; both multiply by a mask of 0 and 1 / (1 - p), drawn from a generator."""

    def __init__(self, probability: float, dtype: torch.dtype) -> None:
        """Drop each number with this probability. In bfloat16 the factor is rounded, by at most 0.2 %."""
        self._probability = probability
        self._buffers = Buffers(dtype)
        self.generator: torch.Generator | None = None
        """None for torch's own."""
        self.mask: Tensor | None = None
        """The factors of the last forward pass; None if it dropped nothing."""

    def forward(self, states: Tensor, *, is_training: bool) -> Tensor:
        """Return the states after dropout; `states` is unchanged."""
        self.mask = None
        if not is_training or self._probability == 0.0:
            return states
        kept = 1 - self._probability
        self.mask = self._buffers.get("mask", *states.shape).bernoulli_(kept, generator=self.generator)
        if kept > 0:
            self.mask.div_(kept)
        return torch.mul(states, self.mask, out=self._buffers.get("dropped", *states.shape))

    def backward(self, grads: Tensor) -> Tensor:
        """Return the gradient by the states, given the one by the output; overwrites `grads`."""
        return grads if self.mask is None else grads.mul_(self.mask)
