"""`ForwardPass`: what a batch costs a model, without anything that only a way back would need.

`GruStep` keeps the gates of all N rows, 4H numbers a character. Here one buffer of B rows takes the gates of a step
after the other, of one layer after the other, and stays in the processor's cache; only the last layer's states are
kept. `TextGenerator.forward` with `F.cross_entropy` is the readable twin.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from torch import Tensor

from engine.compute.cpu.inference_weights import InferenceWeights
from engine.compute.cpu.numba_kernels import kernels_for
from engine.compute.cpu.packing import PackedBatch
from engine.compute.cpu.workspace import Buffers
from engine.corpus.encoded_tweets import Batch
from engine.model.gru import TextGenerator


class ForwardPass:
    """A model on the processor, as its weights are now; nothing is dropped. One thread at a time."""

    @torch.no_grad()
    def __init__(self, model: TextGenerator) -> None:
        """Lay the weights out; compile what is not compiled yet."""
        self._weights = InferenceWeights(model)
        self._run_step = kernels_for(model.rnn.hidden_size).run_step
        self._buffers = Buffers(model.proj.weight.dtype)

    @torch.no_grad()
    def sum_of_losses(self, batch: Batch) -> Tensor:
        """Return the summed cross-entropy in nats, (), of all targets that are not padding."""
        packed = PackedBatch.from_batch(batch)
        states, weight = self._states_over(packed), self._weights.proj_weight
        logits = self._buffers.take("logits", len(packed), len(weight))
        torch.addmm(self._weights.proj_bias, states, weight.t(), out=logits)
        return F.cross_entropy(logits, packed.targets, reduction="sum")

    def _states_over(self, packed: PackedBatch) -> Tensor:
        """Return the last layer's states after every character, (N, H)."""
        size, counts = self._weights.hidden_size, packed.row_counts
        all_gates = self._buffers.take("gates", counts[0], 4 * size)
        carried = [self._buffers.take(f"state {n}", counts[0], size).zero_() for n in range(len(self._weights.layers))]
        states = self._buffers.take("states", len(packed), size)
        steps = zip(packed.inputs.split_with_sizes(counts), states.split_with_sizes(counts), strict=True)
        for token_ids, after in steps:
            gates = all_gates[: len(after)]
            torch.index_select(self._weights.table, 0, token_ids, out=gates)
            for number, layer in enumerate(self._weights.layers):
                if number > 0:
                    layer.write_input(after, gates)  # what the layer below has written
                state = carried[number][: len(after)]
                gates[:, : 3 * size].addmm_(state, layer.from_state)
                self._run_step(gates.numpy(), state.numpy(), after.numpy())
        return states
