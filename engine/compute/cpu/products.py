"""Matrix products with few rows inside compiled code, and with them all time steps of a layer in one call.

PyTorch's product rearranges the weights in each call, and each call of a step waits for all threads. Here the weights
are rearranged once for all time steps, into *panels* of `COLUMNS` columns: `panels[p, k, c]` is
`weight[k, COLUMNS * p + c]`. A product then is a loop over *tiles* of the result, whose sums stay in registers (Goto
and van de Geijn 2008, "Anatomy of high-performance matrix multiplication"). Numba's loops can't express that, so a tile
is written in LLVM's vectors. Each sum is in the order of k, so it does not depend on the number of rows.

Called step by step from Python, a layer with 128 units and 32 tweets takes half as long again.
"""

# ruff: noqa: ANN401 - Numba has no types

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
from numba.extending import intrinsic
from torch import Tensor

from engine.compute.cpu.kernels import Rows, compiled, inlined, kernels_for, named_for

COLUMNS = 16 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 8
"""Columns of a tile: the sums of eight rows fill at most half of the registers."""
_WORD = ir.IntType(64)
cgutils: Any = untyped_cgutils

_ZERO: Any = np.int64(0)
"""A plain 0 in a call would compile a version of the called function for that constant."""

Counts = npt.NDArray[np.int64]  # (T,)


def _tile(num_rows: int) -> Any:
    """Return an intrinsic that adds one tile of a product to `out`: `num_rows` rows from `first` on, of one panel.

    The rows of `matrix` are those from `first_summed` on, and `num_summed` numbers long.
    """

    def typed(
        _: Any, out: Any, first: Any, matrix: Any, first_summed: Any, num_summed: Any, panels: Any, number: Any
    ) -> Any:
        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            out, matrix, panels = (
                context.make_array(signature.args[place])(context, builder, args[place]) for place in (0, 2, 5)
            )
            first, first_summed, num_summed, number = args[1], args[3], args[4], args[6]
            column, zero = builder.mul(number, _WORD(COLUMNS)), _WORD(0)
            places = [_WORD(place) for place in range(num_rows)]
            sums_at = [_pointer(builder, out, builder.add(first, place), column) for place in places]
            rows_at = [_pointer(builder, matrix, builder.add(first_summed, place), zero) for place in places]
            _build_tile(builder, num_summed, sums_at, rows_at, _pointer(builder, panels, number, zero, zero))
            return context.get_dummy_value()

        return types.void(out, first, matrix, first_summed, num_summed, panels, number), build

    return intrinsic(typed)


def _pointer(builder: Any, array: Any, *indices: Any) -> Any:
    """Return a pointer to an element of an array."""
    strides = cgutils.unpack_tuple(builder, array.strides)
    offset = functools.reduce(builder.add, (builder.mul(*pair) for pair in zip(strides, indices, strict=True)))
    return cgutils.pointer_add(builder, array.data, offset)


def _build_tile(builder: Any, num_summed: Any, sums_at: Any, rows_at: Any, panel_at: Any) -> None:
    """Emit LLVM code: load the sums, loop over k, store the sums."""
    vector = ir.VectorType(panel_at.type.pointee, COLUMNS)
    undefined, first = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), COLUMNS), None)
    sums_at = [builder.bitcast(pointer, vector.as_pointer()) for pointer in sums_at]
    panel_at = builder.bitcast(panel_at, vector.as_pointer())
    initial = [builder.load(pointer, align=4) for pointer in sums_at]
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    k, sums = builder.phi(_WORD), [builder.phi(vector) for _ in initial]
    weights = builder.load(builder.gep(panel_at, [k]), align=4)
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


_add_8_rows, _add_4_rows, _add_1_row = _tile(8), _tile(4), _tile(1)


def _add_product(
    out: Rows,
    first: int,
    matrix: Rows,
    first_summed: int,
    num_rows: int,
    num_summed: int,
    panels: Rows,
    num_columns: int,
) -> None:
    """Add rows of `matrix` (n, K) times the packed weights (K, M) to rows of `out`, in compiled code.

    These are `num_rows` from `first` on in `out`, from `first_summed` on in `matrix`. M = `num_columns` and
    K = `num_summed` are the first columns of both; `panels` (P, K, COLUMNS); all are contiguous.
    """
    num_complete = num_columns // COLUMNS
    for number in range(num_complete):
        row = 0
        while row + 8 <= num_rows:
            _add_8_rows(out, first + row, matrix, first_summed + row, num_summed, panels, number)
            row += 8
        if row + 4 <= num_rows:
            _add_4_rows(out, first + row, matrix, first_summed + row, num_summed, panels, number)
            row += 4
        while row < num_rows:
            _add_1_row(out, first + row, matrix, first_summed + row, num_summed, panels, number)
            row += 1
    for row in range(num_rows):
        for column in range(num_complete * COLUMNS, num_columns):
            total = out[first + row, column]
            for k in range(num_summed):
                total += matrix[first_summed + row, k] * panels[num_complete, k, column - num_complete * COLUMNS]
            out[first + row, column] = total


add_product = inlined(_add_product)


def panels_shape(num_summed: int, num_columns: int) -> tuple[int, int, int]:
    """Return the shape (P, K, COLUMNS) of the panels of weights (K, M)."""
    return -(-num_columns // COLUMNS), num_summed, COLUMNS


def pack(weight: Tensor, panels: Tensor) -> None:
    """Write `weight` (K, M) to `panels` (P, K, COLUMNS)."""
    num_complete, rest = divmod(weight.shape[1], COLUMNS)
    complete, last = weight.split_with_sizes([num_complete * COLUMNS, rest], dim=1)
    panels[:num_complete].copy_(complete.view(len(weight), num_complete, COLUMNS).transpose(0, 1))
    if rest:
        panels[num_complete, :, :rest].copy_(last)


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
    kernels = kernels_for(hidden_size)
    forward_step, backward_step = kernels.forward_step, kernels.backward_step

    def forward(row_counts: Counts, gates: Rows, state: Rows, states: Rows, panels: Rows) -> None:
        size, start = state.shape[1], _ZERO
        first = start
        for count in row_counts:
            add_product(gates, first, state, start, count, size, panels, 3 * size)
            forward_step(gates, state, states, first, count)
            first += count

    def backward(
        row_counts: Counts, gates: Rows, before: Rows, output_grads: Rows, state_grad: Rows, product: Rows, panels: Rows
    ) -> None:
        size, start = product.shape[1], _ZERO
        first = start
        for count in row_counts:
            first += count
        for step in range(len(row_counts) - 1, -1, -1):
            count = row_counts[step]
            first -= count
            backward_step(gates, before, output_grads, state_grad, product, first, count)
            add_product(product, start, gates, first, count, 3 * size, panels, size)

    return Recurrence(*(compiled(function) for function in named_for(hidden_size, forward, backward)))
