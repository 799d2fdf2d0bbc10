"""Fixtures of the tests of the device step."""

from __future__ import annotations

import pytest

from engine.compute import memory
from engine.compute.gpu import cuda_graphs
from engine.compute.memory import CudaAllocator


@pytest.fixture(autouse=True)
def allocator(monkeypatch: pytest.MonkeyPatch) -> CudaAllocator:
    """Replace the state of CUDA's allocator for each test."""
    allocator = CudaAllocator()
    for module in (memory, cuda_graphs):
        monkeypatch.setattr(module, "CUDA_ALLOCATOR", allocator)
    return allocator
