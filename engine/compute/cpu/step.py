"""The loss of a batch and all gradients of a `TextGenerator` on the CPU, derived by hand, on one or several threads.

Parameters and results are those of the readable reference, `TextGenerator.forward` with `F.cross_entropy` and
autograd; the tests compare the two. What makes it faster:

* the rows of all steps form one matrix without padding (`PackedBatch`; in bfloat16, with a little);
* the input of the first layer is a lookup, and the loss and its gradient reuse the memory of the logits (`layers`);
* the rows of an n-gram input are added to that input, without the reference's wider product (`ngrams`);
* all time steps of a layer are one call of code compiled by Numba (`products`);
* with several threads, each trains on its own tweets (`ThreadedStep`);
* large buffers are reused, not allocated;
* bfloat16, on a CPU with native support: whatever is stored for all rows, and every large product, is in bfloat16,
  while weights, their gradients, the loss and the recurrent state stay float32.

Dropout acts after each layer, as `nn.GRU` and `nn.Dropout` together apply it; but masks are drawn for N rows instead of
B * T, so a seed gives other masks than in the reference.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from engine.compute.clocks import PhaseTimer
from engine.compute.cpu.kernels import kernels_for
from engine.compute.cpu.layers import Buffers, Dropout, GruLayer, InputProjection, OutputLoss, TokenInput
from engine.compute.cpu.ngrams import PackedRows, add_to_candidates, add_touched, rows_of
from engine.compute.cpu.packed_batch import PackedBatch
from engine.corpus.arrays import Batch
from engine.model.gru import TextGenerator
from engine.model.parameters import FlatParameters, InferenceWeights


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

    @torch.no_grad()
    def loss_and_grads(self, batch: Batch, timer: PhaseTimer | None = None) -> Tensor:
        """Return the cross-entropy, () in nats per target of the whole step; write each parameter's `grad` in place.

        The whole step has `batch.total_targets`: so losses and gradients of its parts add up to its mean and gradient.
        `timer` is switched from "forward" to "backward".
        """
        packed = PackedBatch.from_batch(batch, has_few_shapes=self._has_few_shapes)
        outputs = self._forward(packed)
        if timer is not None:
            timer.switch_to("backward")
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
                self._tokens.backward(packed, gate_grads)
                if self._ngrams is not None:
                    self._ngrams.backward(gate_grads)
            else:
                grads = self._between[number - 1].backward(outputs[number - 1], gate_grads)


@contextmanager
def one_torch_thread() -> Iterator[int]:
    """Let PyTorch compute on one thread inside the block; yields how many it uses outside of it."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield num_threads
    finally:
        torch.set_num_threads(num_threads)


class ThreadedStep:
    """The forward and backward pass of one model, as `GruStep`, on as many threads as PyTorch has. Not thread-safe."""

    def __init__(self, model: TextGenerator, precision: str = "float32") -> None:
        """Use the parameters of a model on the CPU, and its `FlatParameters`; arguments as of `GruStep`."""
        self._model, self._precision = model, precision
        self._flat = FlatParameters(model)
        self._own = GruStep(model, precision, self._flat.table.touched if self._flat.table else None)
        self._helpers: list[_Helper] = []

    def loss_and_grads(self, batch: Batch, timer: PhaseTimer | None = None) -> Tensor:
        """Return the loss and write each parameter's `grad`, as `GruStep` does; `timer` is that of this thread.

        The tweets are dealt out one by one: sorted by length, all parts take as long.
        """
        with one_torch_thread() as num_threads:
            num_parts = min(num_threads, batch.num_tweets)
            deals = [slice(first, None, num_parts) for first in range(num_parts)]
            own, *others = [batch] if num_parts == 1 else map(batch.part, deals)
            while len(self._helpers) < len(others):
                self._helpers.append(_Helper(self._model, self._precision))
            helpers, futures = self._helpers[: len(others)], list[Future[Tensor]]()
            try:
                for helper, part in zip(helpers, others, strict=True):
                    futures.append(helper.start(part))
                loss = self._own.loss_and_grads(own, timer)
            finally:
                wait(futures)
            for helper, future in zip(helpers, futures, strict=True):
                loss = loss + future.result()
                self._flat.dense_grads.add_(helper.flat.dense_grads)
                if (table := self._flat.table) and (other := helper.flat.table):
                    arrays = table.grad, table.touched, other.grad, other.touched
                    add_touched(*(each.numpy() for each in arrays))
        return loss


class _Helper:
    """A thread, and a copy of the model that shares all but the gradient."""

    def __init__(self, model: TextGenerator, precision: str) -> None:
        """Copy a model whose parameters are views of one buffer."""
        shared: dict[int, Tensor] = {id(weight): nn.Parameter(weight.data) for weight in model.parameters()}
        shared |= {id(buffer): buffer for buffer in model.buffers()}
        self._model, self._copy = model, copy.deepcopy(model, dict(shared))
        self.flat = FlatParameters(self._copy)
        self.step = GruStep(self._copy, precision, self.flat.table.touched if self.flat.table else None)
        self._generator = torch.Generator()
        for dropout in self.step.dropouts:
            dropout.generator = self._generator
        self._thread = ThreadPoolExecutor(1, "training", initializer=torch.set_num_threads, initargs=(1,))

    def start(self, part: Batch) -> Future[Tensor]:
        """Start the work on this part; its masks of dropout are drawn from torch's generator, by one number."""
        self._copy.train(self._model.training)
        if self._model.training and self._model.dropout.p > 0:
            self._generator.manual_seed(int(torch.randint(2**62, ())))
        return self._thread.submit(self.step.loss_and_grads, part)


class ForwardPass:
    """The forward pass on the CPU, without dropout. Not thread-safe; several threads may share the weights."""

    def __init__(self, weights: InferenceWeights) -> None:
        """Use these weights without copying them; compile the kernels if needed."""
        self._weights = weights
        self._forward_step = kernels_for(weights.hidden_size).forward_step
        self._buffers = Buffers(weights.proj_weight.dtype)

    @torch.no_grad()
    def sum_of_losses(self, batch: Batch) -> Tensor:
        """Return the summed cross-entropy in nats, (), of all targets that are not padding."""
        packed, weights, size = PackedBatch.from_batch(batch), self._weights, self._weights.hidden_size
        counts = packed.row_counts
        all_gates = self._buffers.get("gates", counts[0], 4 * size)
        states_by_layer = [self._buffers.get(f"state {n}", counts[0], size).zero_() for n in range(len(weights.layers))]
        states = self._buffers.get("states", len(packed), size)  # in the end the last layer's
        steps = zip(packed.inputs.split_with_sizes(counts), states.split_with_sizes(counts), strict=True)
        table, first = weights.ngrams, 0
        rows = None if table is None else rows_of(packed, table[0])  # (N, 3)
        for token_ids, after in steps:
            gates = all_gates[: len(after)]
            torch.index_select(weights.table, 0, token_ids, out=gates)
            if table is not None and rows is not None:
                add_to_candidates(gates.numpy(), rows[first : first + len(after)], table[1].numpy())
                first += len(after)
            for number, layer in enumerate(weights.layers):
                if number > 0:
                    layer.write_input(after, gates)  # `after` is still the state of the layer below
                state = states_by_layer[number][: len(after)]
                gates[:, : 3 * size].addmm_(state, layer.weight_hh_t)
                self._forward_step(gates.numpy(), state.numpy(), after.numpy(), 0, len(after))
        logits = self._buffers.get("logits", len(packed), len(weights.proj_weight))
        torch.addmm(weights.proj_bias, states, weights.proj_weight.t(), out=logits)
        return F.cross_entropy(logits, packed.targets, reduction="sum")
