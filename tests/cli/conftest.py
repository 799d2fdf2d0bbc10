"""Fixtures that run commands, in this process or in another, on a data folder with a trained run."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer.main

from tests.cli.program import SMALL_MODEL, Cli, Process, ending_signals, kill_processes_in, run_program, write_tweets
from tui.cli.app import app

Launch = Callable[..., Process]


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Reset signal handlers, which children inherit, and restore those that `main` replaces."""
    before = {number: signal.getsignal(number) for number in ending_signals()}
    for number in before:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


_COMMAND = typer.main.get_command(app)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run commands in this process."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("typer.main.get_command", lambda _: _COMMAND)  # `main` builds it at each call
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
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the run `first`, 40 steps of a small model, made once."""
    folder = tmp_path_factory.mktemp("trained")
    budget = ("--max-steps", "40", "--eval-every", "20", "--sample-every", "20", "--run-name", "first")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TWEETGEN_HOME", str(folder / "home"))
        tweets = write_tweets(folder / "tweets.txt")
        assert run_program(monkeypatch, "train", "--data", tweets, *SMALL_MODEL, *budget) == 0
    return folder / "home"


@pytest.fixture
def trained(home: Path, trained_once: Path) -> Path:
    """The data folder of this test, with the run `first` in it."""
    shutil.copytree(trained_once, home, dirs_exist_ok=True)
    return home


@pytest.fixture
def best(trained: Path) -> Path:
    """The best checkpoint of the run `first`."""
    return trained / "runs" / "first" / "checkpoints" / "best.safetensors"
