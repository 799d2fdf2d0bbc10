"""Fixtures of every test: a data folder of its own, torch as it starts, and deterministic Hypothesis.

Imports no torch: many test files need none, and each of the test processes would take two seconds to import it.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# the same examples in every run, so that failures are reproducible; `--hypothesis-profile ci` tries more of them, and
# `--hypothesis-profile search` looks for new ones
settings.register_profile("suite", deadline=None, max_examples=20, derandomize=True, database=None)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=3000, derandomize=False)
settings.load_profile("suite")

COLLECTED = pytest.StashKey[list[tuple[Path, str]]]()
"""File and name of each test, before any is deselected."""
_FOLDERS = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--gpu`."""
    parser.addoption("--gpu", action="store_true", help="let the tests use a GPU; without it they all run on the CPU")


def pytest_configure(config: pytest.Config) -> None:
    """Hide all GPUs before torch is imported, also from the processes that tests start."""
    if not config.getoption("--gpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the names of all tests, and skip those that need a GPU unless they may use one."""
    config.stash[COLLECTED] = [(item.path, item.name) for item in items]
    if not config.getoption("--gpu"):
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU and --gpu"))


def pytest_collection_finish() -> None:
    """Exempt imported modules from garbage collection, which takes a third of the time of screen tests."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Collect once what the tests left: pytest does so five times as it ends, a second each without the freeze."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _socket_folder() -> Iterator[None]:
    """Put the sockets of runs into a folder with a short path: the length of a socket's path is limited."""
    with tempfile.TemporaryDirectory(prefix="tg-", dir="/tmp") as folder, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this test only; pytest's fixture reads the names of all folders for each test."""
    path = tmp_path_factory.getbasetemp() / str(next(_FOLDERS))
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a data folder of this test only."""
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def _torch_as_at_the_start() -> None:
    """Reset the random generator and the number of threads, which other tests change; many are slow on busy cores."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _heap_is_frozen_already() -> None:
    """Keep each run from counting all objects that are frozen, which takes as long as a short run itself."""
    loop = sys.modules.get("engine.session.loop")
    if loop is not None:
        vars(loop)["heap_frozen"] = contextlib.nullcontext
