"""What lies below and above the recurrence: from characters or states to gates, and from states to the loss.

With x (M, E or H) and G the gradient (M, 4H) by `r z m n` that `GruLayer.backward` returns, W_ih x fills the columns
`r z` and `n`, and backward

    W_ih_bar = [G_r G_z G_n]^T x        x_bar = [G_r G_z G_n] W_ih

In the first layer, x is the embedding itself, M = V: a vocabulary is small, so what the layer makes of each character
is a table, the input of all N rows is a look-up in it, and the gradients of equal characters are summed before the two
products.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.fast.buffers import Buffers
from engine.fast.gru_layer import GruLayer
from engine.fast.packing import PackedBatch


class InputProjection:
    """The products of one layer with its input."""

    def __init__(self, layer: GruLayer) -> None:
        """Belong to this layer."""
        self._layer = layer
        self._buffers = Buffers(layer.weight_ih.dtype)

    def write(self, inputs: Tensor, out: Tensor) -> None:
        """Write the input's part of `r z m n` to `out` (M, 4H), for inputs (M, E)."""
        gates, new = 2 * self._layer.hidden_size, 3 * self._layer.hidden_size
        out.copy_(self._layer.combined_bias())
        out[:, :gates].addmm_(inputs, self._layer.weight_ih[:gates].t())
        out[:, new:].addmm_(inputs, self._layer.weight_ih[gates:].t())

    def backward(self, inputs: Tensor, grads: Tensor) -> Tensor:
        """Set the gradients of `weight_ih` and the biases and return that of `inputs`, (M, E), for `grads` (M, 4H)."""
        gates, new = 2 * self._layer.hidden_size, 3 * self._layer.hidden_size
        weight, of_gates, of_new = self._layer.weight_ih, grads[:, :gates], grads[:, new:]
        weight_grad = self._buffers.take("weight_grad", *weight.shape)
        torch.mm(of_gates.t(), inputs, out=weight_grad[:gates])
        torch.mm(of_new.t(), inputs, out=weight_grad[gates:])
        weight.grad = weight_grad
        sums = grads.sum(dim=0)  # (4H,)
        self._layer.bias_hh.grad = sums[:new]
        self._layer.bias_ih.grad = torch.cat([sums[:gates], sums[new:]])
        input_grad = self._buffers.take("input_grad", *inputs.shape)
        return torch.mm(of_gates, weight[:gates], out=input_grad).addmm_(of_new, weight[gates:])


class TokenInput:
    """The first layer's input: characters."""

    def __init__(self, embed: nn.Embedding, layer: GruLayer) -> None:
        """Take the embedding, without copying it."""
        self._embed = embed
        self._projection = InputProjection(layer)
        self._table = torch.empty(embed.num_embeddings, 4 * layer.hidden_size, dtype=embed.weight.dtype)

    def write(self, packed: PackedBatch, out: Tensor) -> None:
        """Write the input's part of `r z m n` to `out` (N, 4H)."""
        self._projection.write(self._embed.weight, self._table)
        torch.index_select(self._table, 0, packed.inputs, out=out)

    def backward(self, packed: PackedBatch, grads: Tensor) -> None:
        """Set the gradients of the embedding and of `weight_ih`, for `grads` (N, 4H)."""
        table_grad = self._table.zero_().index_add_(0, packed.inputs, grads)
        self._embed.weight.grad = self._projection.backward(self._embed.weight, table_grad)


class OutputLoss:
    """The projection to logits and the mean cross-entropy.

    With p the softmax of a row of logits, the gradient by that row is (p - one_hot(target)) / N. The 1 / N is left to
    the products that follow.
    """

    def __init__(self, proj: nn.Linear) -> None:
        """Take the projection, without copying it."""
        self._proj = proj
        self._buffers = Buffers(proj.weight.dtype)

    def loss_and_grads(self, states: Tensor, packed: PackedBatch) -> tuple[Tensor, Tensor]:
        """Return the loss, () in nats, and its gradient by the states, both for states (N, H)."""
        share, targets, weight = 1 / len(packed), packed.targets.unsqueeze(1), self._proj.weight
        shape = len(packed), self._proj.out_features
        logits, log_probs = (self._buffers.take(name, *shape) for name in ("logits", "log_probs"))
        torch.addmm(self._proj.bias, states, weight.t(), out=logits)
        torch.log_softmax(logits, dim=1, out=log_probs)
        of_targets = log_probs.gather(1, targets)  # (N, 1)
        logit_grads = torch.exp(log_probs, out=logits).scatter_(1, targets, of_targets.expm1())
        weight_grad, grads = (self._buffers.take(name, *like.shape) for name, like in (("w", weight), ("s", states)))
        weight.grad = torch.addmm(weight_grad, logit_grads.t(), states, beta=0, alpha=share, out=weight_grad)
        self._proj.bias.grad = logit_grads.sum(dim=0).mul_(share)
        return -of_targets.mean(), torch.addmm(grads, logit_grads, weight, beta=0, alpha=share, out=grads)
