"""bfloat16 numbers in code compiled by Numba: their 16 bits are the upper half of a float32's.

NumPy has no such type, so an array of bfloat16 is one of uint16. `as_float` and `as_stored` convert only for that type
and return all others unchanged, so that one kernel serves every precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

RELAXED = {"contract", "nsz", "arcp"}
"""Floating-point optimizations of the kernels. NaN stays NaN: a non-finite step must be detected."""


def _float_of_bits(_: Any, bits: Any) -> Any:  # noqa: ANN401 - numba's own objects
    """Numba intrinsic: reinterpret 32 bits as a float32."""
    return types.float32(bits), lambda _, builder, __, args: builder.bitcast(args[0], ir.FloatType())


def _rounded_bits(_: Any, number: Any) -> Any:  # noqa: ANN401 - numba's own objects
    """Numba intrinsic: round a float32 to the nearest bfloat16, ties to even; returns its 16 bits.

    NaN is a case of its own: the rounding addition could turn its bits into a number's. LLVM integers are used because
    Numba's own would grow to 64 bits.
    """

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:  # noqa: ANN401 - numba's own objects
        word, half = ir.IntType(32), ir.IntType(16)
        bits = builder.bitcast(args[0], word)
        is_odd = builder.and_(builder.lshr(bits, word(16)), word(1))
        rounded = builder.lshr(builder.add(builder.add(bits, word(0x7FFF)), is_odd), word(16))
        is_nan = builder.fcmp_unordered("uno", args[0], args[0])
        return builder.select(is_nan, half(0x7FC0), builder.trunc(rounded, half))

    return types.uint16(number), build


float_of_bits: Any = intrinsic(_float_of_bits)
_bfloat16_of_float: Any = intrinsic(_rounded_bits)


def as_float(x: Any) -> Any:  # noqa: ANN401 - a float, or the bits of a bfloat16
    """Return the value of a float, or of the bits of a bfloat16."""
    return x


def _overload_as_float(x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - numba wants no annotations here
    return (lambda x: float_of_bits(np.int32(np.int32(x) << 16))) if x == types.uint16 else lambda x: x


def as_stored(x: Any, target: Any) -> Any:  # noqa: ANN401, ARG001 - a float; what stands where it is to be as_stored
    """Return `x` in the representation of `target`."""
    return x


def _overload_as_stored(x, target):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, ARG001 - as numba wants it
    if target == types.uint16:
        return lambda x, target: _bfloat16_of_float(x)  # noqa: ARG005 - numba wants the same arguments
    return lambda x, target: x  # noqa: ARG005 - numba wants the same arguments


overload(as_float, jit_options={"fastmath": RELAXED})(_overload_as_float)
overload(as_stored, jit_options={"fastmath": RELAXED})(_overload_as_stored)
