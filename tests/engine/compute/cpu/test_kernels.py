"""Compiled kernels are as accurate in float32 as torch, round to bfloat16 as torch does, and are cached on disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numba
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numba.core import caching

from engine.compute.cpu import kernels
from engine.compute.cpu.kernels import OneFilePerVersion, Rows, compiled, kernels_for
from engine.compute.cpu.products import COLUMNS, add_product, pack, panels_shape

SIZE = 18


def assert_accurate(gates: Rows, before: Rows, tolerance: float) -> None:
    """Assert that r, z, n and the next states from float32 sums are those in float64."""
    r, z, m, n = torch.from_numpy(gates).double().split_with_sizes([SIZE] * 4, dim=1)
    r, z = r.sigmoid(), z.sigmoid()
    n = (n + r * m).tanh()
    states, after = n + z * (torch.from_numpy(before).double() - n), np.empty_like(before)
    kernels_for(SIZE).forward_step(gates, before, after, 0, len(gates))
    found = [*torch.from_numpy(gates).double().split_with_sizes([SIZE] * 4, dim=1), torch.from_numpy(after).double()]
    del found[2]  # m
    for each, exact in zip(found, (r, z, n, states), strict=True):
        assert torch.allclose(each, exact, rtol=0, atol=tolerance)


def test_gates_and_states_are_accurate_to_a_few_float32_roundings_and_saturate_without_overflow() -> None:
    generator = np.random.default_rng(5)
    for scale in (1e-3, 0.1, 1.0, 3.0):
        gates = (generator.standard_normal((500, 4 * SIZE)) * scale).astype(np.float32)
        before = generator.uniform(-1, 1, (500, SIZE)).astype(np.float32)
        assert_accurate(gates, before, 4 * float(np.finfo(np.float32).eps))
    for value in (0.0, 20.0, 88.0, 1e4, 3e38, np.inf):
        gates = np.repeat(np.array([value, -value, 0.0, value], np.float32), SIZE)[None]
        assert_accurate(gates, np.zeros((1, SIZE), np.float32), 2e-7)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9))
@example([0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000, 0x7F800000, 0xFF800000, 0x80000000, 0x00000001, 0x7F7FFFFF])
@example([0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001, 0xBF808000, 0xBF818000])  # halfway, and next to it
def test_every_float32_is_rounded_to_bfloat16_as_by_torch(patterns: list[int]) -> None:
    """With z = 1 and n = 0 a step leaves the state unchanged, and stores it rounded."""
    state = np.repeat(np.array(patterns, np.uint32), SIZE).view(np.float32).reshape(-1, SIZE)
    gates = np.zeros((len(state), 4 * SIZE), np.uint16)
    gates[:, SIZE : 2 * SIZE] = 0x42C8  # 100 in bfloat16
    expected = (torch.from_numpy(state) + 0.0).bfloat16()
    after = torch.empty(state.shape, dtype=torch.bfloat16)
    kernels_for(SIZE).forward_step(gates, state.copy(), after.view(torch.uint16).numpy(), 0, len(state))
    assert torch.equal(after.isnan(), expected.isnan())
    assert torch.equal(after.nan_to_num(nan=0.0), expected.nan_to_num(nan=0.0))


# Products of rows and columns -----------------------------------------------------------------------------------------


@compiled
def add(out: Rows, matrix: Rows, panels: Rows, first: int, num_columns: int) -> None:
    """Add to the rows of `out` from `first` on."""
    add_product(out, first, matrix, first, len(matrix) - first, matrix.shape[1], panels, num_columns)


@given(num_rows=st.integers(0, 21), num_summed=st.integers(1, 40), num_columns=st.integers(1, 3 * COLUMNS))
def test_the_product_is_added_to_the_first_columns_with_the_same_bits_whatever_the_number_of_rows(
    num_rows: int, num_summed: int, num_columns: int
) -> None:
    generator = np.random.default_rng(0)
    sizes = (num_rows, num_summed), (num_summed, num_columns), (num_rows, num_columns + 3)
    matrix, weight, out = (generator.standard_normal(size, np.float32) for size in sizes)
    expected, alone = out.copy(), out.copy()
    expected[:, :num_columns] += matrix @ weight
    panels = torch.empty(panels_shape(num_summed, num_columns))
    pack(torch.from_numpy(weight), panels)
    add(out, matrix, panels.numpy(), 0, num_columns)
    assert np.allclose(out, expected, rtol=0, atol=200 * np.finfo(np.float32).eps)
    for row in range(num_rows):
        add(alone[: row + 1], matrix[: row + 1], panels.numpy(), row, num_columns)
    assert np.array_equal(out, alone)


# The cache of compiled code -------------------------------------------------------------------------------------------


USE_SIZES = """
import sys
import numpy as np
import torch
from engine.compute.cpu.products import pack, panels_shape, recurrence_for

for size in map(int, sys.argv[1:]):
    generator = np.random.default_rng(size)
    gates, weight = (generator.standard_normal(shape, np.float32) for shape in ((12, 4 * size), (size, 3 * size)))
    shapes = panels_shape(*weight.shape), (4, size), (12, size)
    panels, state, states = (np.zeros(shape, np.float32) for shape in shapes)
    pack(torch.from_numpy(weight), torch.from_numpy(panels))
    recurrence_for(size).forward(np.array([4, 4, 4]), gates, state, states, panels)
    print(size, states.tobytes().hex())
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder for the cache."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def filled_by(number: int) -> list[float]:
    """Return what a process writes whose function fills an array with this number, a constant of the compiled code."""

    def fill(out: Rows) -> None:
        for i in range(out.shape[0]):
            out[i] = number

    out = np.zeros(3, np.float32)
    compiled(fill)(out)
    return list(out)


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
    assert len(files_in(cache)) == 1
    with mock.patch.object(OneFilePerVersion, "save") as save:
        assert filled_by(2) == [2, 2, 2]
    assert not save.called


def test_two_processes_that_compile_at_the_same_time_do_not_replace_each_others_code(cache: Path) -> None:
    moves: list[tuple[bytes, Path]] = []

    def keep(source: str, target: str) -> None:
        moves.append((Path(source).read_bytes(), Path(target)))
        Path(source).unlink()

    with mock.patch.object(os, "replace", keep):
        filled_by(2)
        filled_by(3)
    assert len(moves) == 2  # a file of each, which can come to their places in either order
    assert not files_in(cache)

    for order in (moves, moves[::-1]):
        for content, target in order:
            target.write_bytes(content)
        assert filled_by(2) == [2, 2, 2]
        assert filled_by(3) == [3, 3, 3]
        for path in files_in(cache):
            path.unlink()


@pytest.mark.ci
def test_a_process_compiles_none_of_three_hidden_sizes_again_that_three_others_compiled(cache: Path) -> None:
    expected = [states for size in (8, 16, 24) for states in states_by(size, cache=cache)]
    files = {path: path.stat().st_mtime_ns for path in files_in(cache)}
    assert states_by(8, 16, 24, cache=cache) == expected
    assert {path: path.stat().st_mtime_ns for path in files_in(cache)} == files


def test_compiled_functions_of_different_sizes_have_different_names() -> None:
    """Numba (issue 10486) names the code of a function that is called from another by its qualified name."""
    functions = [function for size in (8, SIZE) for function in vars(kernels_for(size)).values()]
    assert len({function.__qualname__ for function in functions}) == len(functions)


def test_code_from_another_numba_or_another_source_is_compiled_again_and_replaced(cache: Path) -> None:
    for changed in (
        mock.patch.object(numba, "__version__", "0.1"),
        mock.patch.object(caching.UserProvidedCacheLocator, "get_source_stamp", return_value=(0, 0)),
        mock.patch.object(kernels, "_sources", return_value=()),
    ):
        with changed:
            filled_by(2)
        (file,) = files_in(cache)
        before = file.read_bytes()
        assert filled_by(2) == [2, 2, 2]
        assert files_in(cache) == [file]
        assert file.read_bytes() != before


def test_functions_run_if_the_cache_can_not_be_written_or_there_is_no_folder_for_it(cache: Path) -> None:
    full = OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    with mock.patch.object(OneFilePerVersion, "save", side_effect=full) as save:
        assert filled_by(2) == [2, 2, 2]
    assert save.called
    with mock.patch.object(caching.FunctionCache, "__init__", side_effect=RuntimeError("no locator")):
        assert filled_by(2) == [2, 2, 2]
    assert not files_in(cache)
