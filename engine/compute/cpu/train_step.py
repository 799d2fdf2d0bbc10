"""`GruStep`: the loss of a batch and every gradient of a `TextGenerator`, worked out by hand.

Parameters and results are those of the readable reference, `TextGenerator.forward` with `F.cross_entropy` and
autograd, with which the tests compare it. What makes the difference, on a processor:

* `packing`: all steps' rows of a kind lie in one matrix, without padding (in bfloat16, with a little);
* `projections`: the input of the first layer is a look-up, the loss and its gradient take the memory of the logits;
* `gru_layer`: the derivation; a step is one product and one call of a kernel that Numba compiles (`numba_kernels`);
* `workspace`: nothing large is allocated;
* bfloat16, where a processor multiplies it faster: what is kept of all rows, and every large product, is in bfloat16,
  while weights, their gradients, the loss, and what is carried from step to step stay float32 (`gru_layer`). The table
  that the first layer's input is looked up in is worked out in float32, and rounded then.

Dropout acts after each layer, as `nn.GRU` and `nn.Dropout` together do it; the draws are for N rows in place of B * T,
so that a seed gives other masks than in the reference.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.compute.cpu.gru_layer import GruLayer
from engine.compute.cpu.packing import PackedBatch
from engine.compute.cpu.projections import InputProjection, OutputLoss, TokenInput
from engine.compute.cpu.workspace import Dropout
from engine.compute.step_timer import PhaseTimer
from engine.corpus.encoded_tweets import Batch
from engine.model.gru import TextGenerator


class GruStep:
    """A model's forward and backward pass in one. One thread at a time."""

    def __init__(self, model: TextGenerator, precision: str = "float32") -> None:
        """Take the parameters of a model that stays on the processor, without copying them.

        `precision` is "float32", which stands for that of the weights, or "bfloat16".
        """
        kept = torch.bfloat16 if precision == "bfloat16" else model.proj.weight.dtype
        self._model, self._has_few_shapes = model, kept == torch.bfloat16
        self._layers = [GruLayer(model.rnn, number, kept) for number in range(model.rnn.num_layers)]
        self._tokens = TokenInput(model.embed, self._layers[0], kept, is_tied=model.embed.weight is model.proj.weight)
        self._between = [InputProjection(layer, kept) for layer in self._layers[1:]]
        self.dropouts = [Dropout(model.dropout.p, kept) for _ in self._layers]
        """One behind each layer."""
        self._output = OutputLoss(model.proj, kept)
        self.timer = PhaseTimer()
        """Turned from the forward to the backward pass."""

    @torch.no_grad()
    def loss_and_grads(self, batch: Batch) -> Tensor:
        """Return the mean cross-entropy, () in nats, of all targets that are not padding; set each parameter's `grad`.

        A `grad` lies in memory that the next call overwrites.
        """
        packed = PackedBatch.from_batch(batch, has_few_shapes=self._has_few_shapes)
        outputs = self._forward(packed)
        self.timer.switch_to("backward")
        loss, grads = self._output.loss_and_grads(outputs[-1], packed)
        self._backward(packed, outputs, grads)
        return loss

    def _forward(self, packed: PackedBatch) -> list[Tensor]:
        """Return what each layer passes on, (N, H) each."""
        outputs: list[Tensor] = []
        for number, (layer, dropout) in enumerate(zip(self._layers, self.dropouts, strict=True)):
            gates = layer.gates(len(packed))
            if number == 0:
                self._tokens.write(packed, gates)
            else:
                self._between[number - 1].write(outputs[-1], gates)
            states = layer.forward(packed)
            outputs.append(dropout.forward(states, is_training=self._model.training))
        return outputs

    def _backward(self, packed: PackedBatch, outputs: list[Tensor], grads: Tensor) -> None:
        """Go back from the gradient by the last output, last layer first."""
        for number in reversed(range(len(self._layers))):
            gate_grads = self._layers[number].backward(packed, self.dropouts[number].backward(grads))
            if number == 0:
                self._tokens.backward(packed)
            else:
                grads = self._between[number - 1].backward(outputs[number - 1], gate_grads)
