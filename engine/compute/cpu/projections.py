"""The projections around the recurrence: from characters or states to gates, and from states to the loss.

With x (M, E or H) and G the gradient (M, 4H) by `r z m n` that `GruLayer.backward` returns, W_ih x fills the columns
`r z` and `n`, and backward

    W_ih_bar = [G_r G_z G_n]^T x        x_bar = [G_r G_z G_n] W_ih

In the first layer, x is the embedding matrix itself, M = V. A vocabulary is small, so the layer's input is computed
once per character as a table, the input of the N rows is a lookup in it, and the gradients of equal characters are
summed before the two products.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.compute.cpu.gru_layer import GruLayer, grad_of
from engine.compute.cpu.numba_kernels import to_loss_grads
from engine.compute.cpu.packing import PackedBatch
from engine.compute.cpu.workspace import Buffers


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
        out.copy_(self._layer.combined_bias())
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

    def backward(self, packed: PackedBatch) -> None:
        """Write the gradients of the embedding and of `weight_ih`; call after the layer's own `backward`."""
        self._layer.add_grads_to(self._table.zero_(), packed.inputs)
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
