"""The program in terminals of its own, on a tiny corpus."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import cli, launch  # noqa: F401 - fixtures
from tests.cli.program import SMALL_MODEL, end_what_runs_in, ending_signals, make_trained_home, write_tweets
from tests.e2e.terminal import Terminal

QUIET = (*SMALL_MODEL, "--sample-every", "0", "--eval-every", "0")
Open = Callable[..., Terminal]


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Let children hear the signals that whoever runs the tests ignores."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ending_signals()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def tweets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text file of 60 tweets, outside the data folder."""
    return write_tweets(tmp_path_factory.mktemp("tweets") / "tweets.txt")


@pytest.fixture
def open_terminal(home: Path) -> Iterator[Open]:
    """Run the program with any arguments."""
    terminals: list[Terminal] = []

    def open_it(*arguments: str | Path, **options: Any) -> Terminal:
        terminals.append(Terminal(home, *arguments, **options))
        return terminals[-1]

    yield open_it
    for terminal in terminals:
        terminal.close()
    end_what_runs_in(home)


@pytest.fixture
def screen(open_terminal: Open, tweets: Path) -> Terminal:
    """The screen of the run `watched` on a small model, which trains."""
    terminal = open_terminal("--data", tweets, *QUIET, "--run-name", "watched")
    terminal.wait_for("▶ training")
    return terminal


@pytest.fixture(scope="session")
def long_screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A screen that tests share: torch takes longer to load than all that they do."""
    folder = tmp_path_factory.mktemp("shared")
    # a crashed worker of the tests must not leave it behind
    ending = ("--on-hangup", "stop")
    terminal = Terminal(folder / "home", "--data", write_tweets(folder / "tweets.txt"), *QUIET, *ending)
    yield terminal
    terminal.close()


@pytest.fixture
def shared(long_screen: Terminal) -> Iterator[Terminal]:
    """The shared screen, training and without a dialog, whatever the test before left behind; paused in between."""
    long_screen.resize(120, 40)
    long_screen.wait_for("▶ training|‖ paused|esc close")
    if "esc close" in long_screen.text:
        long_screen.press("escape")
        # a list that is told something new is without its line of keys for a frame
        long_screen.wait_until_gone("esc close|Checkpoints ·")
    long_screen.wait_for("▶ training|‖ paused")
    if "‖ paused" in long_screen.text:
        long_screen.press("space")
    long_screen.wait_for("▶ training")
    if "bits/char ─" in long_screen.text:
        long_screen.press("b")
        long_screen.wait_for("nats/char ─")
    yield long_screen
    if "▶ training" in long_screen.text and "esc close" not in long_screen.text:
        long_screen.press("space")  # or it would take a core from all tests that follow
        long_screen.wait_for("‖ paused|esc ")  # whatever is open takes the key


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with one trained run, made once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield make_trained_home(tmp_path_factory.mktemp("trained"), monkeypatch)


@pytest.fixture
def trained(home: Path, trained_once: Path) -> Path:
    """The data folder of this test, with the run `first` in it: 40 steps."""
    shutil.copytree(trained_once, home, dirs_exist_ok=True)
    return home
