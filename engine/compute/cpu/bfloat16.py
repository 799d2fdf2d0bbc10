"""Numbers of compiled code that stand in memory as bfloat16: its 16 bits are the upper half of a float32's.

NumPy has no such type, so that an array of them is one of uint16, and what `read` and `written` do depends on the type
that they meet: other numbers pass through as they are, and one kernel serves both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

RELAXED = {"contract", "nsz", "arcp"}
"""What kernels may do to sums and products. NaN stays NaN: a step that went wrong has to be seen."""


def _as_float(_: Any, bits: Any) -> Any:  # noqa: ANN401 - numba's own objects
    """Tell numba how to read 32 bits as the float32 that they are."""
    return types.float32(bits), lambda _, builder, __, args: builder.bitcast(args[0], ir.FloatType())


def _rounded(_: Any, number: Any) -> Any:  # noqa: ANN401 - numba's own objects
    """Tell numba how to round a float32 to the nearest bfloat16, ties to even.

    NaN is set apart: adding to its bits could make a number of it. Numba's own integers would grow to 64 bits here.
    """

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:  # noqa: ANN401 - numba's own objects
        word, half = ir.IntType(32), ir.IntType(16)
        bits = builder.bitcast(args[0], word)
        is_odd = builder.and_(builder.lshr(bits, word(16)), word(1))
        rounded = builder.lshr(builder.add(builder.add(bits, word(0x7FFF)), is_odd), word(16))
        is_nan = builder.fcmp_unordered("uno", args[0], args[0])
        return builder.select(is_nan, half(0x7FC0), builder.trunc(rounded, half))

    return types.uint16(number), build


float_of_bits: Any = intrinsic(_as_float)
_bfloat16_of_float: Any = intrinsic(_rounded)


def read(x: Any) -> Any:  # noqa: ANN401 - a float, or the bits of a bfloat16
    """Return the number that stands there."""
    return x


def _choose_read(x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba wants no annotations here
    return (lambda x: float_of_bits(np.int32(np.int32(x) << 16))) if x == types.uint16 else lambda x: x


def written(x: Any, place: Any) -> Any:  # noqa: ANN401, ARG001 - a float; what stands where it is to be written
    """Return a number as it is to be written there."""
    return x


def _choose_written(x, place):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, ARG001 - as numba wants it
    if place == types.uint16:
        return lambda x, place: _bfloat16_of_float(x)  # noqa: ARG005 - numba wants the same arguments
    return lambda x, place: x  # noqa: ARG005 - numba wants the same arguments


overload(read, jit_options={"fastmath": RELAXED})(_choose_read)
overload(written, jit_options={"fastmath": RELAXED})(_choose_written)
