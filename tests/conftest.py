"""What every test gets: a data folder of its own, one processor thread, and Hypothesis without chance."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# the same examples in every run, or a failure could not be repeated; `--hypothesis-profile search` looks for new ones
settings.register_profile("suite", deadline=None, max_examples=60, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=3000, derandomize=False)
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Have the garbage collector skip what was imported: it costs tests of the screen a third of their time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _sockets() -> Iterator[None]:
    """Keep the sockets of runs in a folder whose path is short, as those of sockets must be."""
    with tempfile.TemporaryDirectory(prefix="tg-") as folder, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep runs and checkpoints of this test in its own folder, and away from those of whoever runs the tests."""
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Undo what a session before this test asked of torch: threads on busy cores cost tenfold."""
    torch.set_num_threads(1)
