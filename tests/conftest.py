"""Fixtures of every test: a data folder of its own, torch as it starts, and deterministic Hypothesis."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# the same examples in every run, so that failures are reproducible; `--hypothesis-profile search` looks for new ones
settings.register_profile("suite", deadline=None, max_examples=60, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=3000, derandomize=False)
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Exempt imported modules from garbage collection, which takes a third of the time of screen tests."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _socket_folder() -> Iterator[None]:
    """Put the sockets of runs into a folder with a short path: the length of a socket's path is limited."""
    with tempfile.TemporaryDirectory(prefix="tg-") as folder, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a data folder of this test only."""
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def _torch_as_at_the_start() -> None:
    """Reset the random generator and the number of threads, which other tests change; many are slow on busy cores."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
