"""`ForwardPass`: what a batch costs a model, without anything that only a way back would need.

`GruStep` keeps the gates of all N rows, 4H numbers a character. Here one buffer of B rows takes the gates of a step
after the other, of one layer after the other, and stays in the processor's cache; only the last layer's states are
kept. `TextGenerator.forward` with `F.cross_entropy` is the readable twin.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from torch import Tensor

from engine.corpus.encoded import Batch
from engine.fast.buffers import Buffers
from engine.fast.gru_layer import take_step
from engine.fast.packing import PackedBatch
from engine.fast.reading import ReadingWeights
from engine.gru import TextGenerator

StepFunction = Callable[[Tensor, Tensor, Tensor], object]
"""(gates, state, after): make the next state of a step's sums `r z m n` (n, 4H), which are overwritten, and of the
state (n, H); it replaces that, and is written to `after` (n, H)."""


class ForwardPass:
    """A model on the processor, as its weights are now; nothing is dropped. One thread at a time."""

    @torch.no_grad()
    def __init__(self, model: TextGenerator, run_step: StepFunction | None = None) -> None:
        """Lay the weights out. `run_step` is the fastest there is, if not given."""
        self._weights = ReadingWeights(model)
        self._run_step = _fastest_step(model.rnn.hidden_size) if run_step is None else run_step
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
                self._run_step(gates, state, after)
        return states


def _fastest_step(hidden_size: int) -> StepFunction:
    """Return the compiled step, or the plain one where Numba can't be imported."""
    try:
        from engine.fast.kernels import kernels_for
    except ImportError:
        return take_step
    run_step = kernels_for(hidden_size).run_step
    return lambda gates, state, after: run_step(gates.numpy(), state.numpy(), after.numpy())
