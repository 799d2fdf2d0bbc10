"""Fixtures that run the program in pseudo-terminals, on a tiny corpus."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig, Setting
from tests.cli.conftest import _signals_as_before, cli, launch, tweets  # noqa: F401 - fixtures
from tests.cli.program import SMALL_MODEL, kill_processes_in
from tests.e2e.terminal import Terminal

QUIET = (*SMALL_MODEL, "--sample-every", "0", "--eval-every", "0")
SLOWLY = (*QUIET, "--steps-per-second", "50")
"""Another run soon has as many steps, however long a test takes to press its keys."""
SCRIPTED = (
    sys.executable,
    "-c",
    """
from tests.fakes import FakeSession, tweet_sampled
from tui.process.local import LocalRun
LocalRun.__init__.__defaults__ = (
    lambda config, on_stage: FakeSession([tweet_sampled("hello ñ there")]),
    *LocalRun.__init__.__defaults__[1:],
)
from tui.__main__ import main
main()
""",
)
"""The program with a `FakeSession`, which does not load torch."""
OpenTerminal = Callable[..., Terminal]


def quiet_config(data: Path, **settings: Setting) -> RunConfig:
    """Return the config of `QUIET`."""
    sizes = {"hidden_size": int(SMALL_MODEL[1]), "embedding_size": int(SMALL_MODEL[3])}
    return RunConfig(
        corpus=CorpusConfig(files=(str(data),)),
        settings={**sizes, "sample_every": 0, "eval_every": 0, **settings},
        runtime=RuntimeConfig(device="cpu", precision="float32", threads=1),
    )


@pytest.fixture
def open_terminal(home: Path) -> Iterator[OpenTerminal]:
    """Return a function that runs the program with the given arguments."""
    terminals: list[Terminal] = []

    def open_(*arguments: str | Path, **options: Any) -> Terminal:
        terminals.append(Terminal(home, *arguments, **options))
        return terminals[-1]

    yield open_
    for terminal in terminals:
        terminal.close()
    kill_processes_in(home)


@pytest.fixture
def screen(open_terminal: OpenTerminal, tweets: Path) -> Terminal:  # noqa: F811 - the fixture
    """The screen of the run `watched`, which trains a small model and has taken a step."""
    terminal = open_terminal("--data", tweets, *SLOWLY, "--run-name", "watched")
    terminal.wait_for(r"▶ training(.|\n)*step +[1-9]")
    return terminal
