"""Code compiled by Numba: how it is compiled and cached, bfloat16 numbers, and the elementwise passes of a step.

The passes go once over their rows: as PyTorch operations, a row of gates (4H numbers) would be loaded from memory up to
eight times. The hidden size is a constant of the compiled code: only then can the compiler see that the four parts of a
row do not overlap, and vectorize the loop. Their equations are in `layers`.

The gain that pays for a dependency of 60 MB: with embedding and hidden size 128 and batch 32, a training step without
these kernels takes 1.2 times as long on one thread and 1.3 times on two; with 256 and 512, 1.1 times.

**The cache on disk** may be shared by several processes. Numba's own mixes up compiled versions of one function in two
ways, and a process then runs code for another hidden size, which writes wrong numbers and past the end of its arrays:

* It numbers the files of the versions, and keeps an index of the numbers, without a lock. So two processes that compile
  two versions at the same time can give both the same number (`OneFilePerVersion`).
* It names the code of a function that is called from another by the function's qualified name, the types of its
  arguments, and a number counted in each process. So code of two hidden sizes, from the caches of two processes, can
  have the same name, and a third process runs one of the two for both (numba issue 10486; `named_for`).

**bfloat16**: its 16 bits are the upper half of a float32's. NumPy has no such type, so an array of bfloat16 is one of
uint16. `as_float` and `as_stored` convert only for that type and return all others unchanged, so that one kernel serves
every precision.

**exp**: Numba has no vectorized one, so float32 uses our own, accurate to about one unit in the last place. float64,
used only in tests, calls the scalar library function.
"""

# ruff: noqa: ANN401, SLF001 - Numba has no types, and no public way to replace its cache

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import caching as untyped_caching
from numba.core import event
from numba.extending import intrinsic

from engine.model.vocab import PAD

Rows: TypeAlias = npt.NDArray[np.floating] | npt.NDArray[np.uint16]  # (n, ...); uint16 holds bfloat16

RELAXED = {"contract", "nsz", "arcp"}
"""Floating-point optimizations of the kernels. NaN stays NaN: a non-finite step must be detected."""
caching: Any = untyped_caching
njit: Any = numba.njit


@functools.cache
def _sources() -> tuple[tuple[int, int], ...]:
    """Return time and size of each file of this folder: a compiled function contains those that it calls."""
    stats = (path.stat() for path in sorted(Path(__file__).parent.glob("*.py")))
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


class OneFilePerVersion:
    """The cache of one function on disk, in place of Numba's files with an index. A file is always whole."""

    def __init__(self, files: Any) -> None:
        """Use the folder, and what is written and read, of Numba's `IndexDataCacheFile`."""
        self._files = files
        self._origin = numba.__version__, files._source_stamp, _sources()

    def save(self, key: Any, data: Any) -> None:
        """Save the version with this key: types of arguments, CPU, and what the code depends on."""
        self._files._save_data(self._name(key), (self._origin, self._files._dump(data)))

    def load(self, key: Any) -> Any:
        """Return what was saved with this key; None if nothing was, or by another Numba, or from another source."""
        try:
            origin, data = self._files._load_data(self._name(key))
        except OSError:
            return None
        return pickle.loads(data) if origin == self._origin else None  # noqa: S301 - only after the check of `origin`

    def _name(self, key: Any) -> Any:
        return self._files._data_name(int(hashlib.sha256(repr(key).encode()).hexdigest()[:16], 16))


class _Cache(caching.FunctionCache):  # type: ignore[misc] # numba is untyped
    """Numba's, with a file for each version; a version that can't be written is compiled again by each process."""

    def __init__(self, function: Callable[..., None]) -> None:
        super().__init__(function)
        self._function = function
        self._cache_file: Any = OneFilePerVersion(self._cache_file)

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        """Name compiled functions among the variables of a closure, which Numba would pickle with random numbers."""
        cells = [cell.cell_contents for cell in self._function.__closure__ or ()]
        variables = [getattr(variable, "__qualname__", variable) for variable in cells]
        return sig, codegen.magic_tuple(), self._function.__code__.co_code, variables


def compiled(function: Callable[..., None], *, may_reorder_sums: bool = False) -> Callable[..., None]:
    """Return a function that Numba compiles on its first call and caches on disk where that is possible."""
    fastmath = RELAXED | {"reassoc"} if may_reorder_sums else RELAXED
    run = njit(fastmath=fastmath, error_model="numpy", nogil=True, no_cfunc_wrapper=True, _nrt=False)(function)
    with contextlib.suppress(RuntimeError):  # no writable folder for the cache
        run._cache = _Cache(function)  # as `cache=True` does
    return cast("Callable[..., None]", run)


inlined = njit(fastmath=RELAXED, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
"""Compiles what only compiled functions call: once for each type of arguments, of which a constant is one."""


def named_for(size: int, *functions: Callable[..., None]) -> tuple[Callable[..., None], ...]:
    """Return functions whose code depends on this size, under qualified names that contain it."""
    for function in functions:
        function.__qualname__ += f"_{size}"
    return functions


class _OnCompilation(event.Listener):
    """Calls a function whenever Numba begins to compile."""

    def __init__(self, report: Callable[[], None]) -> None:
        self._report = report

    def on_start(self, event: Any) -> None:  # noqa: ARG002 - numba's own objects
        self._report()

    def on_end(self, event: Any) -> None:
        pass


@contextlib.contextmanager
def compilation_reported(report: Callable[[], None]) -> Iterator[None]:
    """Call `report` in the block whenever code is compiled, not found in the cache, on the thread that needs it."""
    with event.install_listener("numba:compile", _OnCompilation(report)):
        yield


# Numbers --------------------------------------------------------------------------------------------------------------


def _as_float_code(_: Any, bits: Any) -> Any:
    """Return the value of a float, or of the 16 bits of a bfloat16."""
    if bits != types.uint16:
        return bits(bits), lambda _, __, ___, args: args[0]

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        word = ir.IntType(32)
        return builder.bitcast(builder.shl(builder.zext(args[0], word), word(16)), ir.FloatType())

    return types.float32(bits), build


def _as_stored_code(_: Any, number: Any, target: Any) -> Any:
    """Return a number in the representation of `target`; as bfloat16, rounded to the nearest, ties to even.

    NaN is a case of its own: the rounding addition could turn its bits into a number's.
    """
    if target != types.uint16:
        return number(number, target), lambda _, __, ___, args: args[0]

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        word, half = ir.IntType(32), ir.IntType(16)
        bits = builder.bitcast(args[0], word)
        is_odd = builder.and_(builder.lshr(bits, word(16)), word(1))
        rounded = builder.lshr(builder.add(builder.add(bits, word(0x7FFF)), is_odd), word(16))
        is_nan = builder.fcmp_unordered("uno", args[0], args[0])
        return builder.select(is_nan, half(0x7FC0), builder.trunc(rounded, half))

    return types.uint16(number, target), build


def _float_of_bits_code(_: Any, bits: Any) -> Any:
    """Return the float32 of 32 bits."""
    return types.float32(bits), lambda _, builder, __, args: builder.bitcast(args[0], ir.FloatType())


_float_of_bits: Any = intrinsic(_float_of_bits_code)
_LIMIT, _HALF, _ONE = np.float32(87.0), np.float32(0.5), np.float32(1.0)
_LOG2_E = np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P0, _P1, _P2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P3, _P4, _P5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
_MANTISSA_BITS, _EXPONENT_BIAS = np.int32(23), np.int32(127)


def _exp32_code(x: Any) -> Any:
    """Return e^x = 2^k e^r with |r| <= ln(2) / 2, e^r by the polynomial of Cephes' expf (Moshier 1992).

    x is clipped to +-87, the range of float32.
    """
    x = _LIMIT if x > _LIMIT else x  # noqa: FURB136 - unlike min and max, this lets NaN through
    x = -_LIMIT if x < -_LIMIT else x  # noqa: FURB136 - the same
    k = np.int32(x * _LOG2_E + (_HALF if x > 0 else -_HALF))
    whole = np.float32(k)
    r = x - whole * _LN2_HIGH - whole * _LN2_LOW
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    return (p * r * r + r + _ONE) * _float_of_bits(np.int32((k + _EXPONENT_BIAS) << _MANTISSA_BITS))


_exp32 = inlined(_exp32_code)


def _exp_code(typing_context: Any, x: Any) -> Any:
    """Return e^x, by `_exp32` for a float32."""
    function = typing_context.resolve_value_type(_exp32 if x == types.float32 else math.exp)
    signature = function.get_call_type(typing_context, (x,), {})

    def build(context: Any, builder: Any, _: Any, args: Any) -> Any:
        run = context.get_function(function, signature)
        context.add_linking_libs(getattr(run, "libs", ()))
        return run(builder, args)

    return signature, build


as_float: Any = intrinsic(_as_float_code)
as_stored: Any = intrinsic(_as_stored_code)
_exp: Any = intrinsic(_exp_code)


# Passes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernels:
    """The compiled passes for one hidden size: one time step of `count` tweets.

    Gates and states are those of all steps, (N, 4H) and (N, H); the step's rows are `count` from `first` on. The other
    arrays, (B, H), are of the running step: its rows are the first `count`.
    """

    forward_step: Callable[[Rows, Rows, Rows, int, int], None]
    """(gates, state, states, first, count): turn the sums `r z m n` into gates in place, update `state` in place and
    write it to `states`."""
    backward_step: Callable[[Rows, Rows, Rows, Rows, Rows, int, int], None]
    """(gates, before, output_grads, state_grad, product, first, count): overwrite the gates `r z m n` with the
    gradients by `a b m c`. h_bar is the sum of `output_grads` (N, H), `state_grad` and `product`; h_bar * z overwrites
    `state_grad`. `before` (N, H) are the states before each row."""


@functools.cache
def kernels_for(hidden_size: int) -> Kernels:
    """Return the kernels for a hidden size, from Numba's cache on disk or compiled in a fifth of a second each."""
    size = hidden_size

    def forward_step(gates: Rows, state: Rows, states: Rows, first: int, count: int) -> None:
        one = state.dtype.type(1)
        for row in range(count):
            g, h, stored = gates[first + row], state[row], states[first + row]
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

    def backward_step(
        gates: Rows, before: Rows, output_grads: Rows, state_grad: Rows, product: Rows, first: int, count: int
    ) -> None:
        one = state_grad.dtype.type(1)
        for row in range(count):
            g, h, out_grad = gates[first + row], before[first + row], output_grads[first + row]
            state_bar, more = state_grad[row], product[row]
            for j in range(size):
                r, z, m, n = as_float(g[j]), as_float(g[size + j]), as_float(g[2 * size + j]), as_float(g[3 * size + j])
                h_bar = as_float(out_grad[j]) + state_bar[j] + as_float(more[j])
                state_bar[j], more[j] = h_bar * z, 0
                c_bar = h_bar * (one - z) * (one - n * n)
                m_bar = c_bar * r
                g[j], g[2 * size + j] = as_stored(m_bar * m * (one - r), g[j]), as_stored(m_bar, g[j])
                g[3 * size + j] = as_stored(c_bar, g[j])
                g[size + j] = as_stored(h_bar * (as_float(h[j]) - n) * z * (one - z), g[j])

    return Kernels(*(compiled(step) for step in named_for(size, forward_step, backward_step)))


@compiled
def add_rows(grads: Rows, rows: npt.NDArray[np.int64], table: Rows) -> None:
    """Add row i of `grads` (n, C) to row `rows[i]` of `table` (M, C); `rows` (n,)."""
    for row in range(grads.shape[0]):
        added, total = grads[row], table[rows[row]]
        for j in range(added.shape[0]):
            total[j] += as_float(added[j])


@partial(compiled, may_reorder_sums=True)
def to_loss_grads(logits: Rows, targets: npt.NDArray[np.int64], losses: Rows) -> None:
    """Overwrite `logits` (N, V) with softmax - one_hot(target), the gradient of `losses` (N,), which are written too.

    Both are zero for a row whose target is `PAD`.
    """
    for row in range(logits.shape[0]):
        x, target = logits[row], targets[row]
        if target == PAD:
            losses[row] = 0
            for j in range(x.shape[0]):
                x[j] = 0
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
