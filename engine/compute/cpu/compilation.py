"""Functions compiled by Numba, with a cache on disk that several processes may share: `compiled`, `named_for`.

Numba's own cache mixes up compiled versions of one function in two ways, and a process then runs code for another
hidden size, which writes wrong numbers and past the end of its arrays:

* It numbers the files of the versions, and keeps an index of the numbers, without a lock. So two processes that compile
  two versions at the same time can give both the same number (`OneFilePerVersion`).
* It names the code of a function that is called from another by the function's qualified name, the types of its
  arguments, and a number counted in each process. So code of two hidden sizes, from the caches of two processes, can
  have the same name, and a third process runs one of the two for both (numba issue 10486; `named_for`).
"""

# ruff: noqa: SLF001 - Numba has no public way to replace its cache

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Callable
from typing import Any

import numba
from numba.core import caching as untyped_caching

from engine.compute.cpu.bfloat16 import RELAXED

caching: Any = untyped_caching


class OneFilePerVersion:
    """The cache of one function on disk, in place of Numba's files with an index. A file is always whole."""

    def __init__(self, files: Any) -> None:  # noqa: ANN401 - numba's own objects
        """Use the folder, and what is written and read, of Numba's `IndexDataCacheFile`."""
        self._files = files
        self._origin = numba.__version__, files._source_stamp

    def save(self, key: Any, data: Any) -> None:  # noqa: ANN401 - numba's own objects
        """Save the version with this key: types of arguments, CPU, and hashes of the bytecode and its closure."""
        self._files._save_data(self._name(key), (self._origin, self._files._dump(data)))

    def load(self, key: Any) -> Any:  # noqa: ANN401 - numba's own objects
        """Return what was saved with this key; None if nothing was, or by another Numba, or from another source."""
        try:
            origin, data = self._files._load_data(self._name(key))
        except OSError:
            return None
        return pickle.loads(data) if origin == self._origin else None  # noqa: S301 - only after the check of `origin`

    def _name(self, key: Any) -> Any:  # noqa: ANN401 - numba's own objects
        return self._files._data_name(int(hashlib.sha256(repr(key).encode()).hexdigest()[:16], 16))


def named_for(size: int, *functions: Callable[..., None]) -> tuple[Callable[..., None], ...]:
    """Return functions whose code depends on this size, under qualified names that contain it."""
    for function in functions:
        function.__qualname__ += f"_{size}"
    return functions


def compiled(function: Callable[..., None], *, may_reorder_sums: bool = False) -> Callable[..., None]:
    """Return a function that Numba compiles on its first call and caches on disk where that is possible."""
    fastmath = RELAXED | {"reassoc"} if may_reorder_sums else RELAXED
    compiler: Any = functools.partial(numba.njit, fastmath=fastmath, error_model="numpy", nogil=True)
    run = compiler()(function)
    try:
        cache = caching.FunctionCache(function)
    except RuntimeError:  # no writable folder for the cache
        pass
    else:
        cache._cache_file = OneFilePerVersion(cache._cache_file)
        run._cache = cache  # as `cache=True` does

    @functools.wraps(function)
    def run_or_compile_without_cache(*arguments: Any) -> None:  # noqa: ANN401 - those of `function`
        nonlocal run
        try:
            run(*arguments)
        except OSError:  # the cache can't be written: raised after compiling, before anything is computed
            run = compiler()(function)
            run(*arguments)

    return run_or_compile_without_cache
