"""Matrix products with few rows inside compiled code, and with them all time steps of a layer in one call.

PyTorch's product rearranges the weights in each call, and each call of a step waits for all threads. Here the weights
are rearranged once for all time steps, into *panels* of `COLUMNS` columns: `panels[p, k, c]` is
`weight[k, COLUMNS * p + c]`. A product then is a loop over *tiles* of the result, whose sums stay in registers (Goto
and van de Geijn 2008, "Anatomy of high-performance matrix multiplication"). Numba's loops can't express that, so a tile
is written in LLVM's vectors. Each sum is in the order of k, so it does not depend on the number of rows.

Called step by step from Python, a layer with 128 units and 32 tweets takes half as long again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic, register_jitable

from engine.compute.cpu.kernels import RELAXED, Rows, compiled, named_for, steps_for

COLUMNS = 16 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 8
"""Columns of a tile: the sums of eight rows fill at most half of the registers."""
_WORD = ir.IntType(64)
cgutils: Any = untyped_cgutils


def _tile(num_rows: int) -> Any:  # noqa: ANN401 - numba's own objects
    """Return an intrinsic that adds to `out` (num_rows, COLUMNS) the product of `matrix` (num_rows, K) and a panel."""

    def typed(_: Any, out: Any, matrix: Any, panel: Any) -> Any:  # noqa: ANN401 - numba's own objects
        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401 - numba's own objects
            pairs = zip(signature.args, args, strict=True)
            _build_tile(builder, num_rows, *(context.make_array(kind)(context, builder, arg) for kind, arg in pairs))
            return context.get_dummy_value()

        return types.void(out, matrix, panel), build

    return intrinsic(typed)


def _build_tile(builder: Any, num_rows: int, out: Any, matrix: Any, panel: Any) -> None:  # noqa: ANN401 - numba's own objects
    """Emit LLVM code: load the sums, loop over k, store the sums."""
    number = panel.data.type.pointee
    vector = ir.VectorType(number, COLUMNS)
    undefined, first = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), COLUMNS), None)
    sums_at, rows_at = (
        [_row_pointer(builder, array, row, pointee) for row in range(num_rows)]
        for array, pointee in ((out, vector), (matrix, number))
    )
    weights_at = _row_pointer(builder, panel, 0, vector)
    initial = [builder.load(pointer, align=4) for pointer in sums_at]
    [_, num_summed] = cgutils.unpack_tuple(builder, matrix.shape)
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    k, sums = builder.phi(_WORD), [builder.phi(vector) for _ in initial]
    weights = builder.load(builder.gep(weights_at, [k]), align=4)
    totals = []
    for total, row_at in zip(sums, rows_at, strict=True):
        factor = builder.insert_element(undefined, builder.load(builder.gep(row_at, [k])), ir.IntType(32)(0))
        product = builder.fmul(builder.shuffle_vector(factor, undefined, first), weights, flags=("contract",))
        totals.append(builder.fadd(total, product, flags=("contract",)))
    following = builder.add(k, _WORD(1))
    for phi, start, update in zip([k, *sums], [_WORD(0), *initial], [following, *totals], strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(update, loop)
    builder.cbranch(builder.icmp_signed("<", following, num_summed), loop, after)
    builder.position_at_end(after)
    for pointer, total in zip(sums_at, totals, strict=True):
        builder.store(total, pointer, align=4)


def _row_pointer(builder: Any, array: Any, row: int, pointee: ir.Type) -> Any:  # noqa: ANN401 - numba's own objects
    """Return a pointer to a row of a two-dimensional array."""
    row_stride, _ = cgutils.unpack_tuple(builder, array.strides)
    return cgutils.pointer_add(builder, array.data, builder.mul(row_stride, _WORD(row)), pointee.as_pointer())


_add_8_rows, _add_4_rows, _add_1_row = _tile(8), _tile(4), _tile(1)


@register_jitable
def add_product(out: Rows, matrix: Rows, panels: Rows, num_columns: int) -> None:
    """Add `matrix` (n, K) times the packed weights (K, M) to the first M = `num_columns` of `out`, in compiled code.

    `panels` (P, K, COLUMNS); rows are contiguous.
    """
    num_complete = num_columns // COLUMNS
    for number in range(num_complete):
        columns, panel, row = out[:, number * COLUMNS : (number + 1) * COLUMNS], panels[number], 0
        while row + 8 <= len(matrix):
            _add_8_rows(columns[row : row + 8], matrix[row : row + 8], panel)
            row += 8
        if row + 4 <= len(matrix):
            _add_4_rows(columns[row : row + 4], matrix[row : row + 4], panel)
            row += 4
        while row < len(matrix):
            _add_1_row(columns[row : row + 1], matrix[row : row + 1], panel)
            row += 1
    for row in range(len(matrix)):
        for column in range(num_complete * COLUMNS, num_columns):
            for k in range(matrix.shape[1]):
                out[row, column] += matrix[row, k] * panels[num_complete, k, column - num_complete * COLUMNS]


def _pack(weight: Rows, panels: Rows) -> None:
    """Write `weight` (K, M) to `panels` (P, K, COLUMNS)."""
    for column in range(weight.shape[1]):
        panel, place = panels[column // COLUMNS], column % COLUMNS
        for k in range(weight.shape[0]):
            panel[k, place] = weight[k, column]


def panels_shape(num_summed: int, num_columns: int) -> tuple[int, int, int]:
    """Return the shape (P, K, COLUMNS) of the panels of weights (K, M)."""
    return -(-num_columns // COLUMNS), num_summed, COLUMNS


pack = compiled(_pack)


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
