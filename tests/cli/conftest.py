"""Fixtures that run commands, in this process or in another, on a data folder with a trained run."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.program import Cli, Process, ending_signals, kill_processes_in, make_trained_home, write_tweets

Launch = Callable[..., Process]


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Reset signal handlers, which children inherit, and restore those that `main` replaces."""
    before = {number: signal.getsignal(number) for number in ending_signals()}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run commands in this process."""
    monkeypatch.setenv("COLUMNS", "100")
    return Cli(monkeypatch, capsys)


@pytest.fixture
def launch(home: Path) -> Iterator[Launch]:
    """Start commands in child processes, which are killed at the end."""
    processes: list[Process] = []

    def start(*arguments: str | Path, **environment: str) -> Process:
        processes.append(Process(home, *arguments, **environment))
        return processes[-1]

    yield start
    for process in processes:
        process.close()
    kill_processes_in(home)


@pytest.fixture
def tweets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text file of 60 tweets in a folder of its own, outside the data folder."""
    return write_tweets(tmp_path_factory.mktemp("tweets") / "tweets.txt")


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the data folder."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with one trained run, made once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield make_trained_home(tmp_path_factory.mktemp("trained"), monkeypatch)


@pytest.fixture
def trained(home: Path, trained_once: Path) -> Path:
    """The data folder of this test, with the run `first` in it."""
    shutil.copytree(trained_once, home, dirs_exist_ok=True)
    return home
