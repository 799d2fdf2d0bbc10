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
SCRIPTED = (sys.executable, "-m", "tests.e2e.scripted")
"""The program with a scripted run called `watched`, which does not load torch."""
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
def screen(open_terminal: OpenTerminal) -> Terminal:
    """The screen of the scripted run `watched`, which has taken a step."""
    terminal = open_terminal(program=SCRIPTED)
    terminal.wait_for(r"▶ training(.|\n)*step +[1-9]")
    return terminal
