"""All time steps of a layer in one call of compiled code: products (`tile_product`) and steps (`numba_kernels`).

Called step by step from Python, a layer with 128 units and 32 tweets takes half as long again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from engine.compute.cpu.bfloat16 import RELAXED
from engine.compute.cpu.compilation import compiled, named_for
from engine.compute.cpu.numba_kernels import Rows, steps_for
from engine.compute.cpu.tile_product import add_product

Counts = npt.NDArray[np.int64]  # (T,)


@dataclass(frozen=True)
class Recurrence:
    """The compiled passes for one hidden size, with arrays as of `Kernels`, but N rows: those of all steps."""

    forward: Callable[[Counts, Rows, Rows, Rows, Rows], None]
    """(row_counts, gates, state, states, panels): run `forward_step` for all steps, from a zero `state` (B, H); `gates`
    (N, 4H) hold the input's part, `panels` the weights (H, 3H)."""
    backward: Callable[[Counts, Rows, Rows, Rows, Rows, Rows, Rows], None]
    """(row_counts, gates, before, output_grads, state_grad, product, panels): run `backward_step` for all steps, from
    zeros in the last two of its arguments, (B, H); `panels` hold the weights (3H, H)."""


@functools.cache
def recurrence_for(hidden_size: int) -> Recurrence:
    """Return the passes for a hidden size, from Numba's cache on disk or compiled in about a second."""
    size = hidden_size
    forward_step, backward_step = (register_jitable(fastmath=RELAXED)(step) for step in steps_for(hidden_size))

    def forward(row_counts: Counts, gates: Rows, state: Rows, states: Rows, panels: Rows) -> None:
        first = 0
        for count in row_counts:
            rows = gates[first : first + count]
            add_product(rows, state[:count], panels, 3 * size)
            forward_step(rows, state, states[first : first + count])
            first += count

    def backward(
        row_counts: Counts, gates: Rows, before: Rows, output_grads: Rows, state_grad: Rows, product: Rows, panels: Rows
    ) -> None:
        end = row_counts.sum()
        for count in row_counts[::-1]:
            first = end - count
            rows, own = gates[first:end], product[:count]
            backward_step(rows, before[first:end], output_grads[first:end], state_grad, product)
            own[:] = 0
            add_product(own, rows[:, : 3 * size], panels, size)
            end = first

    return Recurrence(*(compiled(function) for function in named_for(size, forward, backward)))
