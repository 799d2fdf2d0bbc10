"""The kernels are as accurate in float32 as torch, and round to bfloat16 as torch does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from engine.compute.cpu import numba_kernels as kernels

SIZE = 16


def some_rows(scale: float) -> tuple[kernels.Rows, kernels.Rows]:
    """Return sums `r z m n` and previous states, float32."""
    generator = np.random.default_rng(5)
    sums = generator.standard_normal((500, 4 * SIZE)) * scale
    return sums.astype(np.float32), generator.uniform(-1, 1, (500, SIZE)).astype(np.float32)


def exact_step(gates: kernels.Rows, before: kernels.Rows) -> list[torch.Tensor]:
    """Return r, z, n and the next states in float64, from float32 sums."""
    r, z, m, n = torch.from_numpy(gates).double().split_with_sizes([SIZE] * 4, dim=1)
    r, z = r.sigmoid(), z.sigmoid()
    n = (n + r * m).tanh()
    return [r, z, n, n + z * (torch.from_numpy(before).double() - n)]


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 3.0])
def test_gates_and_states_are_accurate_to_a_few_float32_roundings(scale: float) -> None:
    gates, before = some_rows(scale)
    expected = exact_step(gates, before)
    after = np.empty_like(before)

    kernels.kernels_for(SIZE).forward_step(gates, before, after)

    r, z, _, n = torch.from_numpy(gates).double().split_with_sizes([SIZE] * 4, dim=1)
    for found, exact in zip((r, z, n, torch.from_numpy(after).double()), expected, strict=True):
        assert torch.allclose(found, exact, rtol=0, atol=4 * float(np.finfo(np.float32).eps))


@pytest.mark.parametrize("value", [0.0, 20.0, 88.0, 1e4, 3e38, np.inf])
def test_extreme_inputs_saturate_the_gates_without_overflow(value: float) -> None:
    gates = np.repeat(np.array([value, -value, 0.0, value], np.float32), SIZE)[None]
    before = np.zeros((1, SIZE), np.float32)
    expected = exact_step(gates, before)

    kernels.kernels_for(SIZE).forward_step(gates, before, before)

    r, z, _, n = torch.from_numpy(gates).double().split_with_sizes([SIZE] * 4, dim=1)
    for found, exact in zip((r, z, n), expected[:3], strict=True):
        assert torch.allclose(found, exact, rtol=0, atol=2e-7)


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

    kernels.kernels_for(SIZE).forward_step(gates, state.copy(), after.view(torch.uint16).numpy())

    assert torch.equal(after.isnan(), expected.isnan())
    assert torch.equal(after.nan_to_num(nan=0.0), expected.nan_to_num(nan=0.0))
