"""The elementwise part of a GRU step, in one pass over its rows, compiled by Numba. Its equations are in `gru_layer`.

As PyTorch operations, a row of gates (4H numbers) would be loaded from memory up to eight times; here it is loaded
once. The hidden size is a constant of the compiled code: only then can the compiler see that the four parts of a row
do not overlap, and vectorize the loop.

The gain that pays for a dependency of 60 MB: with embedding and hidden size 128 and batch 32, a training step without
these kernels takes 1.2 times as long on one thread and 1.3 times on two; with 256 and 512, 1.1 times.

Numba has no vectorized exp, so float32 uses our own, accurate to about one unit in the last place. float64, used only
in tests, calls the scalar library function.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import overload

from engine.compute.cpu.bfloat16 import RELAXED, as_float, as_stored, float_of_bits
from engine.compute.cpu.compilation import compiled, named_for
from engine.model.vocab import PAD

Rows: TypeAlias = npt.NDArray[np.floating] | npt.NDArray[np.uint16]  # (n, ...); uint16 holds bfloat16


def _exp(x: Any) -> Any:  # noqa: ANN401 - a float of the type at hand
    """Return e^x; compiled code uses `_exp32` or `_exp64` instead."""
    return math.exp(x)


def _exp64(x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba wants no annotations here
    return math.exp(x)


_LIMIT, _HALF, _ONE = np.float32(87.0), np.float32(0.5), np.float32(1.0)
_LOG2_E = np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P0, _P1, _P2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P3, _P4, _P5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
_MANTISSA_BITS, _EXPONENT_BIAS = np.int32(23), np.int32(127)


def _exp32(x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba wants no annotations here
    """Return e^x = 2^k e^r with |r| <= ln(2) / 2, e^r by the polynomial of Cephes' expf (Moshier 1992).

    x is clipped to +-87, the range of float32.
    """
    x = _LIMIT if x > _LIMIT else x  # noqa: FURB136 - unlike min and max, this lets NaN through
    x = -_LIMIT if x < -_LIMIT else x  # noqa: FURB136 - the same
    k = np.int32(x * _LOG2_E + (_HALF if x > 0 else -_HALF))
    whole = np.float32(k)
    r = x - whole * _LN2_HIGH - whole * _LN2_LOW
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    return (p * r * r + r + _ONE) * float_of_bits(np.int32((k + _EXPONENT_BIAS) << _MANTISSA_BITS))


def _choose_exp(x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba wants no annotations here
    return _exp32 if x == types.float32 else _exp64


overload(_exp, jit_options={"fastmath": RELAXED})(_choose_exp)


@dataclass(frozen=True)
class Kernels:
    """The compiled passes for one hidden size. Arrays are (n, H) unless noted, and may have more rows than n."""

    forward_step: Callable[[Rows, Rows, Rows], None]
    """(gates, state, after): turn the sums `r z m n` (n, 4H) into gates in place, update `state` in place and write it
    to `after`."""
    backward_step: Callable[[Rows, Rows, Rows, Rows, Rows], None]
    """(gates, before, output_grads, state_grad, product): overwrite the gates `r z m n` (n, 4H) with the gradients by
    `a b m c`. h_bar is the sum of the last three arguments; h_bar * z overwrites `state_grad`."""


@functools.cache
def kernels_for(hidden_size: int) -> Kernels:
    """Return the kernels for a hidden size, from Numba's cache on disk or compiled in about half a second."""
    return Kernels(*(compiled(step) for step in steps_for(hidden_size)))


def steps_for(hidden_size: int) -> tuple[Callable[..., None], ...]:
    """Return the passes of `Kernels`, forward and backward, for Numba to compile."""
    size = hidden_size

    def forward_step(gates: Rows, state: Rows, after: Rows) -> None:
        one = state.dtype.type(1)
        for row in range(gates.shape[0]):
            g, h, stored = gates[row], state[row], after[row]
            for j in range(size):
                r, z = one / (one + _exp(-as_float(g[j]))), one / (one + _exp(-as_float(g[size + j])))
                g[j], g[size + j] = as_stored(r, g[j]), as_stored(z, g[j])
            for j in range(size):  # one loop would need more registers than the CPU has: measured a fifth slower
                r, z = as_float(g[j]), as_float(g[size + j])
                x = as_float(g[3 * size + j]) + r * as_float(g[2 * size + j])
                n = one - (one + one) / (one + _exp(x + x))
                g[3 * size + j] = as_stored(n, g[j])
                h[j] = n + z * (h[j] - n)
                stored[j] = as_stored(h[j], stored[j])

    def backward_step(gates: Rows, before: Rows, output_grads: Rows, state_grad: Rows, product: Rows) -> None:
        one = state_grad.dtype.type(1)
        for row in range(gates.shape[0]):
            g, h, out_grad = gates[row], before[row], output_grads[row]
            state_bar, more = state_grad[row], product[row]
            for j in range(size):
                r, z, m, n = as_float(g[j]), as_float(g[size + j]), as_float(g[2 * size + j]), as_float(g[3 * size + j])
                h_bar = as_float(out_grad[j]) + state_bar[j] + as_float(more[j])
                state_bar[j] = h_bar * z
                c_bar = h_bar * (one - z) * (one - n * n)
                m_bar = c_bar * r
                g[j], g[2 * size + j] = as_stored(m_bar * m * (one - r), g[j]), as_stored(m_bar, g[j])
                g[3 * size + j] = as_stored(c_bar, g[j])
                g[size + j] = as_stored(h_bar * (as_float(h[j]) - n) * z * (one - z), g[j])

    return named_for(size, forward_step, backward_step)


def _add_rows(grads: Rows, rows: npt.NDArray[np.int64], table: Rows) -> None:
    """Add row i of `grads` (n, C) to row `rows[i]` of `table` (M, C); `rows` (n,)."""
    for row in range(grads.shape[0]):
        added, total = grads[row], table[rows[row]]
        for j in range(added.shape[0]):
            total[j] += as_float(added[j])


add_rows = compiled(_add_rows)


def _to_loss_grads(logits: Rows, targets: npt.NDArray[np.int64], losses: Rows) -> None:
    """Overwrite `logits` (N, V) with softmax - one_hot(target), the gradient of `losses` (N,), which are written too.

    Both are zero for a row whose target is `PAD`.
    """
    for row in range(logits.shape[0]):
        x, target = logits[row], targets[row]
        if target == PAD:
            x[:], losses[row] = 0, 0
            continue
        highest = x[0]
        for j in range(x.shape[0]):
            highest = x[j] if x[j] > highest else highest  # noqa: FURB136 - vectorized, unlike max
        own, others = x[target] - highest, logits.dtype.type(0)
        x[target] = -np.inf  # the sum of the others is 1 - p times the sum, without cancellation
        for j in range(x.shape[0]):
            x[j] = _exp(x[j] - highest)
            others += x[j]
        total = others + _exp(own)
        losses[row] = math.log(total) - own
        for j in range(x.shape[0]):
            x[j] /= total
        x[target] = -others / total


to_loss_grads = compiled(_to_loss_grads, may_reorder_sums=True)
