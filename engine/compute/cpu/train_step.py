"""`GruStep`: the loss of a batch and all gradients of a `TextGenerator` on the CPU, derived by hand.

Parameters and results are those of the readable reference, `TextGenerator.forward` with `F.cross_entropy` and
autograd; the tests compare the two. What makes it faster:

* `packing`: the rows of all steps form one matrix without padding (in bfloat16, with a little);
* `projections`: the input of the first layer is a lookup, and the loss and its gradient reuse the memory of the logits;
* `packed_rows`: the rows of an n-gram input are added to that input, without the reference's wider product;
* `gru_layer`: the derivation; all time steps of a layer are one call of code compiled by Numba (`recurrence`);
* `threaded_step`: with several threads, each trains on its own tweets;
* `workspace`: large buffers are reused, not allocated;
* bfloat16, on a CPU with native support: whatever is stored for all rows, and every large product, is in bfloat16,
  while weights, their gradients, the loss and the recurrent state stay float32 (`gru_layer`).

Dropout acts after each layer, as `nn.GRU` and `nn.Dropout` together apply it; but masks are drawn for N rows instead of
B * T, so a seed gives other masks than in the reference.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.compute.clocks import PhaseTimer
from engine.compute.cpu.gru_layer import GruLayer
from engine.compute.cpu.packed_rows import PackedRows
from engine.compute.cpu.packing import PackedBatch
from engine.compute.cpu.projections import InputProjection, OutputLoss, TokenInput
from engine.compute.cpu.workspace import Dropout
from engine.corpus.encoded_tweets import Batch
from engine.model.gru import TextGenerator


class GruStep:
    """A model's forward and backward pass. Not thread-safe."""

    def __init__(self, model: TextGenerator, precision: str = "float32", touched: Tensor | None = None) -> None:
        """Use the parameters of a model on the CPU without copying them.

        `precision` "bfloat16" stores activations in bfloat16; "float32" stores them in the dtype of the weights.
        `touched` as in `PackedRows`.
        """
        storage_dtype = torch.bfloat16 if precision == "bfloat16" else model.proj.weight.dtype
        self._model, self._has_few_shapes = model, storage_dtype == torch.bfloat16
        self._layers = [GruLayer(model.rnn, number, storage_dtype) for number in range(model.rnn.num_layers)]
        self._tokens = TokenInput(
            model.embed, self._layers[0], storage_dtype, is_tied=model.embed.weight is model.proj.weight
        )
        self._ngrams = None if model.ngram_input is None else PackedRows(model.ngram_input, touched)
        self._between = [InputProjection(layer, storage_dtype) for layer in self._layers[1:]]
        self.dropouts = [Dropout(model.dropout.p, storage_dtype) for _ in self._layers]
        """One after each layer."""
        self._output = OutputLoss(model.proj, storage_dtype)
        self.timer = PhaseTimer()
        """Switched from "forward" to "backward" during a step."""

    @torch.no_grad()
    def loss_and_grads(self, batch: Batch) -> Tensor:
        """Return the cross-entropy, () in nats per target of the whole step; write each parameter's `grad` in place.

        The whole step has `batch.total_targets`: so losses and gradients of its parts add up to its mean and gradient.
        """
        packed = PackedBatch.from_batch(batch, has_few_shapes=self._has_few_shapes)
        outputs = self._forward(packed)
        self.timer.switch_to("backward")
        loss, grads = self._output.loss_and_grads(outputs[-1], packed)
        self._backward(packed, outputs, grads)
        return loss

    def _forward(self, packed: PackedBatch) -> list[Tensor]:
        """Return the output of each layer after dropout, (N, H) each."""
        outputs: list[Tensor] = []
        for number, (layer, dropout) in enumerate(zip(self._layers, self.dropouts, strict=True)):
            gates = layer.gates(len(packed))
            if number == 0:
                self._tokens.write(packed, gates)
                if self._ngrams is not None:
                    self._ngrams.add_to(gates, packed)
            else:
                self._between[number - 1].write(outputs[-1], gates)
            states = layer.forward(packed)
            outputs.append(dropout.forward(states, is_training=self._model.training))
        return outputs

    def _backward(self, packed: PackedBatch, outputs: list[Tensor], grads: Tensor) -> None:
        """Backpropagate the gradient by the last output, from the last layer to the first."""
        for number in reversed(range(len(self._layers))):
            gate_grads = self._layers[number].backward(packed, self.dropouts[number].backward(grads))
            if number == 0:
                self._tokens.backward(packed)
                if self._ngrams is not None:
                    self._ngrams.backward(gate_grads)
            else:
                grads = self._between[number - 1].backward(outputs[number - 1], gate_grads)
