"""`SingleRowStepper`: a GRU step for a single tweet on the CPU, in a handful of compiled calls per character.

For one row, a PyTorch call costs more than its work, and at H = 512 the work is loading the weights: 3 MB, more than
the L2 cache holds. So

* the weights are used in the model's own layout: a tweet is too short to pay for a transposed copy;
* successive characters traverse the rows of the weights in opposite directions, and find in the cache what the previous
  one loaded last. The order of rows does not change any sum;
* with several torch threads, large weights use torch's own product, which splits them among the threads' caches.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.compute.cpu.kernels import Rows, compiled, kernels_for
from engine.compute.cpu.ngrams import find_rows
from engine.model.parameters import InferenceWeights
from engine.model.vocab import ORDERS

_BLOCK_ROWS = 4
_THREADED_BYTES = 3 * 2**19
"""Size from which weights, those of H = 362 and more, are faster on two threads: 1.3 times at 384, 2.3 at 512."""


@partial(compiled, may_reorder_sums=True)
def add_product(weight: Rows, vector: Rows, sums: Rows, is_backwards: bool) -> None:  # noqa: FBT001 - compiled code takes no names
    """Add `weight` (M, H) times `vector` (H,) to `sums` (M,), several rows at once to load `vector` less often."""
    zero = vector.dtype.type(0)
    num_blocks = len(weight) // _BLOCK_ROWS
    for number in range(num_blocks):
        j = _BLOCK_ROWS * (num_blocks - 1 - number if is_backwards else number)
        row_0, row_1, row_2, row_3 = weight[j], weight[j + 1], weight[j + 2], weight[j + 3]
        sum_0 = sum_1 = sum_2 = sum_3 = zero
        for k in range(len(vector)):
            sum_0 += row_0[k] * vector[k]
            sum_1 += row_1[k] * vector[k]
            sum_2 += row_2[k] * vector[k]
            sum_3 += row_3[k] * vector[k]
        sums[j] += sum_0
        sums[j + 1] += sum_1
        sums[j + 2] += sum_2
        sums[j + 3] += sum_3
    for j in range(_BLOCK_ROWS * num_blocks, len(weight)):
        for k in range(len(vector)):
            sums[j] += weight[j, k] * vector[k]


@compiled
def normalize(logits: Rows) -> None:
    """Replace logits (V,) by log-probabilities; if one is not finite, all become NaN."""
    highest = logits[0]
    for j in range(len(logits)):
        highest = logits[j] if logits[j] > highest else highest  # noqa: FURB136 - compiled in a tenth of the time of max
    total = 0.0
    for j in range(len(logits)):
        total += math.exp(logits[j] - highest)
    log_total = math.log(total)
    for j in range(len(logits)):
        logits[j] = (logits[j] - highest) - log_total


class SingleRowStepper:
    """The hidden state of one tweet, and the buffers of a step. Not thread-safe."""

    def __init__(self, weights: InferenceWeights, states: list[Tensor], windows: Tensor) -> None:
        """Start from these states, (1, H) per layer, and `windows` (1,) of token ids; updated in place."""
        self.states, self.windows = states, windows
        size = weights.hidden_size
        self._forward_step = kernels_for(size).forward_step
        self._table, self._proj_weight, self._proj_bias = (
            tensor.numpy() for tensor in (weights.table, weights.proj_weight, weights.proj_bias)
        )
        ngrams = weights.ngrams
        self._ngrams = None if ngrams is None else [tensor.numpy() for tensor in ngrams]
        self._window, self._before, self._is_real = windows.numpy(), np.zeros(1, np.int64), np.ones(1, np.bool_)
        self._rows = np.empty((1, len(ORDERS)), np.int64)
        self._layers = [_Layer(layer.weight_ih, layer.weight_hh, layer.bias) for layer in weights.layers]
        self._state_rows = [state.numpy() for state in states]
        self._columns, self._after = np.empty_like(self._table, shape=(1, 4 * size)), np.empty_like(self._state_rows[0])
        [columns], gates, new = self._columns, 2 * size, 3 * size
        self._row, self._products, self._gate_sums, self._new = columns, columns[:new], columns[:gates], columns[new:]
        self._threaded_products = torch.from_numpy(self._products)
        self._is_backwards = False

    def step(self, token_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Process a character, (1,); return the log-probabilities (1, V) of the next one, in nats."""
        self._row[:] = self._table[token_ids[0]]
        if self._ngrams is not None:
            contexts, table = self._ngrams
            find_rows(token_ids, self._before, self._window, self._is_real, contexts, self._rows)
            for row in self._rows[0]:
                if row > 0:
                    self._new += table[row]
        for number, (layer, state) in enumerate(zip(self._layers, self._state_rows, strict=True)):
            if number > 0:
                self._row[:] = layer.bias
                add_product(layer.gates_ih, self._after[0], self._gate_sums, self._is_backwards)
                add_product(layer.new_ih, self._after[0], self._new, self._is_backwards)
            if layer.threaded_weight_hh is None:
                add_product(layer.weight_hh, state[0], self._products, self._is_backwards)
            else:
                self._threaded_products.addmv_(layer.threaded_weight_hh, self.states[number][0])
            self._forward_step(self._columns, state, self._after, 0, 1)
        self._is_backwards = not self._is_backwards
        log_probs = self._proj_bias[None].copy()  # (1, V)
        add_product(self._proj_weight, self._after[0], log_probs[0], False)  # noqa: FBT003 - compiled code takes no names
        normalize(log_probs[0])
        return log_probs


class _Layer:
    """A layer's weights as arrays that share the tensors' memory."""

    def __init__(self, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> None:
        """Wrap the weights of an `InferenceLayer`."""
        gates = 2 * weight_hh.shape[1]
        self.gates_ih, self.new_ih = weight_ih[:gates].numpy(), weight_ih[gates:].numpy()
        self.weight_hh, self.bias = weight_hh.numpy(), bias.numpy()
        is_threaded = weight_hh.nbytes >= _THREADED_BYTES and torch.get_num_threads() > 1
        self.threaded_weight_hh = weight_hh if is_threaded else None
