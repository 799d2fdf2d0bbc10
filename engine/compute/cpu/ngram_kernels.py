"""The n-gram bias in code compiled by Numba: find the rows of N places, add them to logits, update the touched ones.

`engine.model.ngram_bias` is the readable reference. A step touches a few hundred of thousands of rows, so nothing here
reads the whole table: `touched` counts how often the step's places have each row, the gradient is zero where that is
zero, and clearing and updating skip those rows. Tables and gradients have the dtype of the weights in every precision.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from engine.compute.cpu.numba_kernels import Rows, compiled
from engine.model.ngram_codes import ORDERS, appended, context_code
from engine.model.vocab import PAD

Ids = npt.NDArray[np.int64]  # (n,)

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
    """Write the rows of N places to `rows` (2, N): of the last two and three characters of `inputs` (N,).

    `previous` (N,) is the index of the character before each one, negative at the start of a tweet. A place that is not
    real has row 0.
    """
    for place in range(len(inputs)):
        middle = first = PAD
        before = previous[place]
        if before >= 0:
            middle = inputs[before]
            if previous[before] >= 0:
                first = inputs[previous[before]]
        last = inputs[place]
        if is_real[place]:
            rows[0, place] = _row_of(_pair_code(middle, last), contexts)
            rows[1, place] = _row_of(_triple_code(first, middle, last), contexts)
        else:
            rows[0, place] = rows[1, place] = 0


def _add_bias(logits: Rows, rows: Ids, table: Rows) -> None:
    """Add the two rows of each place, `rows` (2, N), of `table` (1 + R, V) to `logits` (N, V)."""
    for place in range(logits.shape[0]):
        total = logits[place]
        for order in range(rows.shape[0]):
            row = rows[order, place]
            if row > 0:
                added = table[row]
                for j in range(total.shape[0]):
                    total[j] += added[j]


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
    """Zero the rows of `grads` (1 + R, V) that are `touched` (1 + R,), and their counts."""
    for row in range(touched.shape[0]):
        if touched[row] > 0:
            grads[row] = 0
            touched[row] = 0


def _scatter(logit_grads: Rows, rows: Ids, scale: float, grads: Rows, touched: Rows) -> None:
    """Add `scale` times row i of `logit_grads` (N, V) to both rows of place i in `grads`; count them in `touched`."""
    factor = logit_grads.dtype.type(scale)
    for place in range(logit_grads.shape[0]):
        added = logit_grads[place]
        for order in range(rows.shape[0]):
            row = rows[order, place]
            if row > 0:
                touched[row] += 1
                total = grads[row]
                for j in range(added.shape[0]):
                    total[j] += factor * added[j]


def _add_touched(grads: Rows, touched: Rows, other_grads: Rows, other_touched: Rows) -> None:
    """Add another gradient and its counts, where those are not zero, to `grads` (1 + R, V) and `touched` (1 + R,)."""
    for row in range(touched.shape[0]):
        if other_touched[row] > 0:
            touched[row] += other_touched[row]
            total, added = grads[row], other_grads[row]
            for j in range(added.shape[0]):
                total[j] += added[j]


def _update_touched(
    weights: Rows, grads: Rows, touched: Rows, moments: Rows, squares: Rows, step_size: float, constants: Rows
) -> None:
    """Update the touched rows as `LazyAdam` does; `constants`, in their dtype: both 1 - beta, and epsilon."""
    share, share_of_square, epsilon = constants[0], constants[1], constants[2]
    size = weights.dtype.type(step_size)
    for row in range(touched.shape[0]):
        if touched[row] > 0:
            w, g, m, s = weights[row], grads[row], moments[row], squares[row]
            for j in range(w.shape[0]):
                m[j] += share * (g[j] - m[j])
                s[j] += share_of_square * (g[j] * g[j] - s[j])
                w[j] -= size * m[j] / (math.sqrt(s[j]) + epsilon)


find_rows, add_bias, clear, scatter = (compiled(kernel) for kernel in (_find_rows, _add_bias, _clear, _scatter))
add_next_rows, add_touched, update_touched = (
    compiled(kernel) for kernel in (_add_next_rows, _add_touched, _update_touched)
)
