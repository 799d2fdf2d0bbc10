"""The n-gram input of a packed batch and its gradient, in code compiled by Numba.

`engine.model.gru` is the readable reference. A step touches a few thousands of rows, so nothing here reads the
whole table: `touched` counts how often the step's places have each row, the gradient is zero where that is zero, and
clearing and updating skip those rows. Gates may be bfloat16; tables and gradients have the dtype of the weights.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.compute.cpu.kernels import Rows, as_float, as_stored, compiled, inlined
from engine.compute.cpu.layers import as_array, grad_of
from engine.compute.cpu.packed_batch import PackedBatch
from engine.corpus.arrays import Ids
from engine.model.gru import NgramInput
from engine.model.vocab import EMPTY_WINDOW, ORDERS, PAD, appended, context_code

_SHORTEST = ORDERS[0]
_appended, _context_code = inlined(appended), inlined(context_code)


@compiled
def find_rows(
    inputs: Ids, previous: Ids, windows: Ids, is_real: npt.NDArray[np.bool_], contexts: Ids, rows: Ids
) -> None:
    """Write the rows of the contexts of N places, `inputs` (N,), to `rows` (N, 3), and their windows to `windows` (N,).

    A context's row is 1 + its index in ascending `contexts` (R,), found by bisection, or 0 if it is not there.
    `previous` (N,) is the index of the character before each one, at most its own, whose window is read; negative at
    the start of a tweet. A place that is not real has row 0.
    """
    for place in range(len(inputs)):
        before = previous[place]
        windows[place] = _appended(windows[before] if before >= 0 else EMPTY_WINDOW, inputs[place])
        for number in range(rows.shape[1]):  # not a constant: a loop that is unrolled takes longer to compile
            code = _context_code(windows[place], _SHORTEST + number)
            low, count = 0, len(contexts)
            while count > 1:
                half = count >> 1
                low += half if contexts[low + half] <= code else 0
                count -= half
            rows[place, number] = low + 1 if is_real[place] and contexts[low] == code else 0


@compiled
def add_to_candidates(gates: Rows, rows: Ids, table: Rows) -> None:
    """Add the rows of each place, `rows` (N, 3), to the columns `n` of `gates` `r z m n`, (N, 4H). Row 0 is zero."""
    size = table.shape[1]
    for place in range(gates.shape[0]):
        g, row_2, row_3, row_4 = gates[place], table[rows[place, 0]], table[rows[place, 1]], table[rows[place, 2]]
        for j in range(size):
            x = g[3 * size + j]
            g[3 * size + j] = as_stored(as_float(x) + (row_2[j] + row_3[j] + row_4[j]), x)


@compiled
def scatter(gate_grads: Rows, rows: Ids, grads: Rows, touched: Rows) -> None:
    """Write the gradient: the sum of the columns `c` of `gate_grads`, `a b m c` (N, 4H), over the places of each row.

    `rows` (N, 3) are those of each place; they are counted in `touched` (1 + R,). Where that was zero, `grads`
    (1 + R, H) must be.
    """
    size = grads.shape[1]
    for row in range(touched.shape[0]):
        if touched[row] > 0:
            touched[row] = 0
            for j in range(size):
                grads[row, j] = 0
    for place in range(gate_grads.shape[0]):
        added = gate_grads[place]
        for number in range(rows.shape[1]):
            row = rows[place, number]
            if row > 0:
                touched[row] += 1
                total = grads[row]
                for j in range(size):
                    total[j] += as_float(added[3 * size + j])


@compiled
def add_touched(grads: Rows, touched: Rows, other_grads: Rows, other_touched: Rows) -> None:
    """Add another gradient and its counts, where those are not zero, to `grads` (1 + R, H) and `touched` (1 + R,)."""
    for row in range(touched.shape[0]):
        if other_touched[row] > 0:
            touched[row] += other_touched[row]
            total, added = grads[row], other_grads[row]
            for j in range(added.shape[0]):
                total[j] += added[j]


@partial(compiled, may_reorder_sums=True)
def update_touched(weights: Rows, grads: Rows, touched: Rows, squares: Rows, constants: Rows) -> None:
    """Update the touched rows as `RowRmsprop` does; `squares` (1 + R,).

    `constants`, in their dtype: the learning rate, 1 - beta, the correction of the squares, and epsilon.
    """
    rate, share, correction, epsilon = constants[0], constants[1], constants[2], constants[3]
    for row in range(touched.shape[0]):
        if touched[row] > 0:
            w, g = weights[row], grads[row]
            total = g[0] * g[0]
            for j in range(1, g.shape[0]):
                total += g[j] * g[j]
            squares[row] += share * (total / g.dtype.type(g.shape[0]) - squares[row])
            factor = rate / (math.sqrt(squares[row] / correction) + epsilon)
            for j in range(w.shape[0]):
                w[j] -= factor * g[j]


def rows_of(packed: PackedBatch, contexts: Tensor) -> Ids:
    """Return the rows of a batch's places, (N, 3); 0 for the rows added to the batch."""
    rows = np.empty((len(packed), len(ORDERS)), dtype=np.int64)
    previous = (packed.previous - len(packed.order)).numpy()  # (N,)
    inputs, is_real = packed.inputs.numpy(), (packed.targets != PAD).numpy()
    find_rows(inputs, previous, np.empty_like(inputs), is_real, contexts.numpy(), rows)
    return rows


class PackedRows:
    """The table of one model. Not thread-safe."""

    def __init__(self, ngrams: NgramInput, touched: Tensor | None = None) -> None:
        """Use the table without copying it; count in `touched`, (1 + R,), how often a batch has each row.

        Where that count is zero, so must be the gradient.
        """
        self._ngrams = ngrams
        self._touched = torch.zeros(len(ngrams.weight), dtype=ngrams.weight.dtype) if touched is None else touched
        self._rows = np.empty((0, len(ORDERS)), dtype=np.int64)

    def add_to(self, gates: Tensor, packed: PackedBatch) -> None:
        """Add the rows of a batch to the first layer's `r z m n` (N, 4H)."""
        self._rows = rows_of(packed, self._ngrams.contexts)
        add_to_candidates(as_array(gates), self._rows, self._ngrams.weight.detach().numpy())

    def backward(self, gate_grads: Tensor) -> None:
        """Write the gradient, given that of the last batch by `a b m c` (N, 4H)."""
        scatter(as_array(gate_grads), self._rows, grad_of(self._ngrams.weight).numpy(), self._touched.numpy())
