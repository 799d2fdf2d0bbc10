"""`add_product` agrees with NumPy for all numbers of rows and columns, and does not depend on the number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.cpu.compilation import compiled
from engine.compute.cpu.numba_kernels import Rows
from engine.compute.cpu.tile_product import COLUMNS, add_product, pack, panels_shape


def _add(out: Rows, matrix: Rows, panels: Rows, num_columns: int) -> None:
    add_product(out, matrix, panels, num_columns)


add = compiled(_add)


def random_matrix(generator: np.random.Generator, *shape: int, dtype: str) -> Rows:
    return generator.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(num_rows=st.integers(0, 21), num_summed=st.integers(1, 40), num_columns=st.integers(1, 3 * COLUMNS))
def test_the_product_is_added_to_the_first_columns(
    dtype: str, num_rows: int, num_summed: int, num_columns: int
) -> None:
    generator = np.random.default_rng(0)
    matrix = random_matrix(generator, num_rows, num_summed, dtype=dtype)
    weight = random_matrix(generator, num_summed, num_columns, dtype=dtype)
    out = random_matrix(generator, num_rows, num_columns + 3, dtype=dtype)
    expected = out.copy()
    expected[:, :num_columns] += matrix @ weight
    panels = np.empty(panels_shape(num_summed, num_columns), dtype)
    pack(weight, panels)

    add(out, matrix, panels, num_columns)

    assert np.allclose(out, expected, rtol=0, atol=200 * np.finfo(dtype).eps)


def test_a_row_has_the_same_bits_whatever_the_number_of_rows() -> None:
    generator = np.random.default_rng(0)
    matrix, weight = (random_matrix(generator, *shape, dtype="float32") for shape in ((21, 50), (50, 2 * COLUMNS + 3)))
    panels = np.empty(panels_shape(*weight.shape), np.float32)
    pack(weight, panels)
    together, alone = np.zeros((2, 21, weight.shape[1]), np.float32)

    add(together, matrix, panels, weight.shape[1])
    for row in range(21):
        add(alone[row : row + 1], matrix[row : row + 1], panels, weight.shape[1])

    assert np.array_equal(together, alone)
