"""Fixtures of session tests, and of failures of a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.compute import cuda_graphs, memory
from engine.compute.memory import CudaAllocator
from engine.storage import files, journal
from tests.engine.helpers import write_corpus
from tests.fakes import BrokenDisk


@pytest.fixture
def corpus(home: Path) -> Path:
    """Write a file of 60 tweets into the data folder."""
    return write_corpus(home)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> BrokenDisk:
    """Replace the file system functions of a training run."""
    disk = BrokenDisk()
    monkeypatch.setattr(files, "os", disk)
    monkeypatch.setattr(journal, "os", disk)
    monkeypatch.setattr(Path, "stat", lambda path, **how: disk.stat(path, **how))  # noqa: PLW0108 - a partial binds no self
    return disk


@pytest.fixture
def allocator(monkeypatch: pytest.MonkeyPatch) -> CudaAllocator:
    """Replace what the process records of CUDA's allocator and of failed recordings, for one test."""
    allocator = CudaAllocator()
    for module in (memory, cuda_graphs):
        monkeypatch.setattr(module, "CUDA_ALLOCATOR", allocator)
    monkeypatch.setattr(cuda_graphs, "_FAILURES", {})
    return allocator
