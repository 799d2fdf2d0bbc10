"""Compiled functions are cached on disk for later processes, correctly if several compile at once, or not at all."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from unittest import mock

import numba
import numpy as np
import pytest
from numba.core import caching

from engine.compute.cpu.compilation import OneFilePerVersion, compiled
from engine.compute.cpu.numba_kernels import Rows, steps_for

Run = Callable[..., None]
Move = tuple[bytes, Path]  # what a process writes, and where to

USE_SIZES = """
import sys
import numpy as np
from engine.compute.cpu.recurrence import recurrence_for
from engine.compute.cpu.tile_product import pack, panels_shape

for size in map(int, sys.argv[1:]):
    generator = np.random.default_rng(size)
    gates, weight = (generator.standard_normal(shape, np.float32) for shape in ((12, 4 * size), (size, 3 * size)))
    shapes = panels_shape(*weight.shape), (4, size), (12, size)
    panels, state, states = (np.zeros(shape, np.float32) for shape in shapes)
    pack(weight, panels)
    recurrence_for(size).forward(np.array([4, 4, 4]), gates, state, states, panels)
    print(size, states.tobytes().hex())
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder for the cache."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def filler(number: int) -> Run:
    """Return a function that fills an array with a number, a constant of the compiled code."""

    def fill(out: Rows) -> None:
        for i in range(out.shape[0]):
            out[i] = number

    return fill


def filled_by(number: int) -> list[float]:
    """Return what a process writes whose function fills an array with this number, after a run of it: [number] * 3."""
    out = np.zeros(3, np.float32)
    compiled(filler(number))(out)
    return list(out)


def moves_of(number: int) -> list[Move]:
    """Return the files that a process would put into the cache, in order; it puts none there."""
    moves = list[Move]()

    def keep(source: str, target: str) -> None:
        moves.append((Path(source).read_bytes(), Path(target)))
        Path(source).unlink()

    with mock.patch.object(os, "replace", keep):
        filled_by(number)
    return moves


def orders(*moves: list[Move]) -> Iterator[list[Move]]:
    """Yield every order in which the files of several processes can come to their places."""
    owners = [owner for owner, own in enumerate(moves) for _ in own]
    for order in sorted(set(itertools.permutations(owners))):
        queues = [iter(own) for own in moves]
        yield [next(queues[owner]) for owner in order]


def states_by(*sizes: int, cache: Path) -> list[str]:
    """Return the states of a GRU of each hidden size, computed in a process of its own with this cache."""
    command = [sys.executable, "-c", USE_SIZES, *map(str, sizes)]
    # without the seed, which the names of compiled code depend on, they differ in most runs
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONHASHSEED": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def files_in(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def test_a_later_process_does_not_compile_again(cache: Path) -> None:
    filled_by(2)
    files = files_in(cache)

    with mock.patch.object(OneFilePerVersion, "save") as save:
        assert filled_by(2) == [2, 2, 2]

    assert len(files) == 1
    assert not save.called


def test_two_processes_that_compile_at_the_same_time_do_not_replace_each_others_code(cache: Path) -> None:
    two, three = moves_of(2), moves_of(3)
    assert two
    assert three
    assert not files_in(cache)

    for order in orders(two, three):
        for content, target in order:
            target.write_bytes(content)
        assert filled_by(2) == [2, 2, 2]
        assert filled_by(3) == [3, 3, 3]
        for path in files_in(cache):
            path.unlink()


@pytest.mark.ci
def test_a_process_can_use_three_hidden_sizes_that_three_others_compiled(cache: Path) -> None:
    expected = [states for size in (8, 16, 24) for states in states_by(size, cache=cache)]

    assert states_by(8, 16, 24, cache=cache) == expected


def test_compiled_functions_of_different_sizes_have_different_names() -> None:
    """Numba (issue 10486) names the code of a function that is called from another by its qualified name."""
    functions = [function for size in (8, 16) for function in steps_for(size)]
    assert len({function.__qualname__ for function in functions}) == len(functions)


@pytest.mark.parametrize(
    "changed",
    [
        mock.patch.object(numba, "__version__", "0.1"),
        mock.patch.object(caching.UserProvidedCacheLocator, "get_source_stamp", return_value=(0, 0)),
    ],
    ids=["numba", "source"],
)
def test_code_from_another_numba_or_another_source_is_compiled_again_and_replaced(
    cache: Path, changed: AbstractContextManager[object]
) -> None:
    with changed:
        filled_by(2)
    (file,) = files_in(cache)
    before = file.read_bytes()

    assert filled_by(2) == [2, 2, 2]

    assert files_in(cache) == [file]
    assert file.read_bytes() != before


def test_functions_run_if_the_cache_can_not_be_written(cache: Path) -> None:
    full = OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    with mock.patch.object(OneFilePerVersion, "save", side_effect=full) as save:
        assert filled_by(2) == [2, 2, 2]

    assert save.called
    assert not files_in(cache)


def test_functions_run_if_no_folder_can_be_written() -> None:
    with mock.patch.object(caching.FunctionCache, "__init__", side_effect=RuntimeError("no locator")):
        assert filled_by(2) == [2, 2, 2]
