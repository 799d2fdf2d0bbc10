"""`ForwardPass`: the loss of a batch, without the activations that only a backward pass needs.

`GruStep` stores the gates of all N rows, 4H numbers a character. Here one buffer of B rows, small enough for the CPU's
cache, is reused for every time step and layer; only the last layer's states are stored. `TextGenerator.forward` with
`F.cross_entropy` is the readable reference.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.cpu.inference_weights import InferenceWeights
from engine.compute.cpu.ngram_kernels import add_to_candidates
from engine.compute.cpu.numba_kernels import kernels_for
from engine.compute.cpu.packed_rows import rows_of
from engine.compute.cpu.packing import PackedBatch
from engine.compute.cpu.workspace import Buffers
from engine.corpus.encoded_tweets import Batch


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
        packed = PackedBatch.from_batch(batch)
        states, weight = self._last_states(packed), self._weights.proj_weight
        logits = self._buffers.get("logits", len(packed), len(weight))
        torch.addmm(self._weights.proj_bias, states, weight.t(), out=logits)
        return F.cross_entropy(logits, packed.targets, reduction="sum")

    def _last_states(self, packed: PackedBatch) -> Tensor:
        """Return the last layer's states after each character, (N, H)."""
        size, counts = self._weights.hidden_size, packed.row_counts
        all_gates = self._buffers.get("gates", counts[0], 4 * size)
        states_by_layer = [
            self._buffers.get(f"state {n}", counts[0], size).zero_() for n in range(len(self._weights.layers))
        ]
        states = self._buffers.get("states", len(packed), size)
        steps = zip(packed.inputs.split_with_sizes(counts), states.split_with_sizes(counts), strict=True)
        table, first = self._weights.ngrams, 0
        rows = None if table is None else rows_of(packed, table.contexts)  # (N, 3)
        for token_ids, after in steps:
            gates = all_gates[: len(after)]
            torch.index_select(self._weights.table, 0, token_ids, out=gates)
            if table is not None and rows is not None:
                add_to_candidates(gates.numpy(), rows[first : first + len(after)], table.weight.numpy())
                first += len(after)
            for number, layer in enumerate(self._weights.layers):
                if number > 0:
                    layer.write_input(after, gates)  # `after` is still the state of the layer below
                state = states_by_layer[number][: len(after)]
                gates[:, : 3 * size].addmm_(state, layer.weight_hh_t)
                self._forward_step(gates.numpy(), state.numpy(), after.numpy())
        return states
