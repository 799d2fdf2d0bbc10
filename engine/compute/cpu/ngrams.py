"""The n-gram input of a packed batch and its gradient, in code compiled by Numba.

`engine.model.gru` is the readable reference. A step touches a few thousands of rows, so nothing here reads the
whole table: `touched` counts how often the step's places have each row, the gradient is zero where that is zero, and
clearing and updating skip those rows. Gates may be bfloat16; tables and gradients have the dtype of the weights.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from numba.extending import register_jitable
from torch import Tensor

from engine.compute.cpu.kernels import Rows, as_float, as_stored, compiled
from engine.compute.cpu.layers import PackedBatch, as_array, grad_of
from engine.model.gru import NgramInput
from engine.model.vocab import EMPTY_WINDOW, ORDERS, PAD, appended, context_code

Ids = npt.NDArray[np.int64]  # (n,)

_SHORTEST, _NUM_ORDERS = ORDERS[0], len(ORDERS)
_appended, _context_code = register_jitable(appended), register_jitable(context_code)


@register_jitable
def _row_of(code: int, contexts: Ids) -> int:
    """Return the row of a code, 1 + its index in ascending `contexts` (R,); 0 if it is not there."""
    low, count = 0, len(contexts)
    while count > 1:
        half = count >> 1
        low += half if contexts[low + half] <= code else 0
        count -= half
    return low + 1 if contexts[low] == code else 0


def _find_rows(inputs: Ids, previous: Ids, is_real: npt.NDArray[np.bool_], contexts: Ids, rows: Ids) -> None:
    """Write the rows of the contexts of N places, `inputs` (N,), to `rows` (N, 3).

    `previous` (N,) is the index of the character before each one, less than its own, and negative at the start of a
    tweet. A place that is not real has row 0.
    """
    windows = np.empty_like(inputs)
    for place in range(len(inputs)):
        before = previous[place]
        windows[place] = _appended(windows[before] if before >= 0 else EMPTY_WINDOW, inputs[place])
        for number in range(_NUM_ORDERS):
            code = _context_code(windows[place], _SHORTEST + number)
            rows[place, number] = _row_of(code, contexts) if is_real[place] else 0


def _add_to_candidates(gates: Rows, rows: Ids, table: Rows) -> None:
    """Add the rows of each place, `rows` (N, 3), to the columns `n` of `gates` `r z m n`, (N, 4H). Row 0 is zero."""
    size = table.shape[1]
    for place in range(gates.shape[0]):
        g, row_2, row_3, row_4 = gates[place], table[rows[place, 0]], table[rows[place, 1]], table[rows[place, 2]]
        for j in range(size):
            x = g[3 * size + j]
            g[3 * size + j] = as_stored(as_float(x) + (row_2[j] + row_3[j] + row_4[j]), x)


def _add_next_rows(candidate: Rows, window: Ids, token_id: int, contexts: Ids, table: Rows) -> None:
    """Append a character to a window, (1,), and add the rows of `table` (1 + R, H) there to `candidate` (H,)."""
    window[0] = _appended(window[0], token_id)
    for order in ORDERS:
        row = _row_of(_context_code(window[0], order), contexts)
        if row > 0:
            added = table[row]
            for j in range(candidate.shape[0]):
                candidate[j] += added[j]


def _clear(grads: Rows, touched: Rows) -> None:
    """Zero the rows of `grads` (1 + R, H) that are `touched` (1 + R,), and their counts."""
    for row in range(touched.shape[0]):
        if touched[row] > 0:
            grads[row] = 0
            touched[row] = 0


def _scatter(gate_grads: Rows, rows: Ids, grads: Rows, touched: Rows) -> None:
    """Add the columns `c` of the gradient by `a b m c` (N, 4H) to all rows of each place; count these in `touched`."""
    size = grads.shape[1]
    for place in range(gate_grads.shape[0]):
        added = gate_grads[place]
        for number in range(_NUM_ORDERS):
            row = rows[place, number]
            if row > 0:
                touched[row] += 1
                total = grads[row]
                for j in range(size):
                    total[j] += as_float(added[3 * size + j])


def _add_touched(grads: Rows, touched: Rows, other_grads: Rows, other_touched: Rows) -> None:
    """Add another gradient and its counts, where those are not zero, to `grads` (1 + R, H) and `touched` (1 + R,)."""
    for row in range(touched.shape[0]):
        if other_touched[row] > 0:
            touched[row] += other_touched[row]
            total, added = grads[row], other_grads[row]
            for j in range(added.shape[0]):
                total[j] += added[j]


def _update_touched(weights: Rows, grads: Rows, touched: Rows, squares: Rows, constants: Rows) -> None:
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


find_rows, add_to_candidates, add_next_rows, clear, scatter, add_touched = (
    compiled(kernel) for kernel in (_find_rows, _add_to_candidates, _add_next_rows, _clear, _scatter, _add_touched)
)
update_touched = compiled(_update_touched, may_reorder_sums=True)


def rows_of(packed: PackedBatch, contexts: Tensor) -> Ids:
    """Return the rows of a batch's places, (N, 3); 0 for the rows added to the batch."""
    rows = np.empty((len(packed), len(ORDERS)), dtype=np.int64)
    previous = (packed.previous - len(packed.order)).numpy()  # (N,)
    find_rows(packed.inputs.numpy(), previous, (packed.targets != PAD).numpy(), contexts.numpy(), rows)
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
        grads, touched = grad_of(self._ngrams.weight).numpy(), self._touched.numpy()
        clear(grads, touched)
        scatter(as_array(gate_grads), self._rows, grads, touched)
