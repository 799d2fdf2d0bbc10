"""Ways out: the exit code, a clean terminal, a saved run, a summary that says how to go on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from engine import events as e
from engine.checkpoint_info import read_info
from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import QUIET, Open
from tests.e2e.terminal import Terminal
from tests.engine.stream_rules import assert_keeps_the_rules

HANGS_SECONDS = 10.0
"""An app that waits for a busy thread at its end takes longer than this; one that does not, a fraction."""


def _assert_saved(home: Path) -> None:
    """Check that the run ended in order and can be resumed from where it ended."""
    folder = home / "runs" / "watched"
    told = [e.from_json(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert_keeps_the_rules(told)
    assert isinstance(told[-1], e.RunFinished)
    assert read_info(folder / "checkpoints" / "latest.safetensors")[0].step == told[-1].step


def test_q_saves_restores_the_terminal_and_prints_a_summary(screen: Terminal, home: Path) -> None:
    screen.press("g")
    screen.wait_for("0.80 [●◐○]")
    screen.press("q")
    status, seconds = screen.wait_for_exit()
    assert status == 0
    assert seconds < HANGS_SECONDS
    assert screen.modes_left_set == []
    _assert_saved(home)
    [head, sample, how] = screen.text.strip().splitlines()
    assert head.strip().startswith("watched: ")
    assert " steps in 0:" in head
    assert sample.startswith("  ")
    assert how == "Go on with it:  tweetgen-tui --resume watched"


def test_ctrl_c_does_the_same_from_a_dialog_too_with_the_code_of_an_interrupt(screen: Terminal, home: Path) -> None:
    screen.press("space")
    screen.wait_for("‖ paused")
    screen.press("s")
    screen.wait_for("Save a checkpoint")
    screen.press("ctrl+c")
    status, seconds = screen.wait_for_exit()
    assert status == 130
    assert seconds < HANGS_SECONDS
    assert screen.modes_left_set == []
    assert "--resume watched" in screen.text
    _assert_saved(home)


def test_sigterm_saves_and_leaves_a_clean_terminal(screen: Terminal, home: Path) -> None:
    screen.send_signal(signal.SIGTERM)
    assert screen.wait_for_exit()[0] == 143
    assert screen.modes_left_set == []
    _assert_saved(home)


def test_a_dropped_connection_saves_and_ends_the_run_where_that_is_wished(
    open_terminal: Open, tweets: Path, home: Path
) -> None:
    screen = open_terminal("--data", tweets, *QUIET, "--run-name", "watched", "--on-hangup", "stop")
    screen.wait_for("▶ training")
    screen.hang_up()
    assert screen.wait_for_exit_without_terminal() == 129
    _assert_saved(home)


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("ctrl+c", 130)])
def test_leaving_while_torch_loads_is_clean(open_terminal: Open, home: Path, tweets: Path, key: str, code: int) -> None:
    terminal = open_terminal("--data", tweets, *SMALL_MODEL)
    terminal.wait_for("tweets appear here")
    assert "training" not in terminal.text
    terminal.press(key)
    assert terminal.wait_for_exit()[0] == code
    assert terminal.modes_left_set == []
    assert "Traceback" not in terminal.text


def test_a_run_that_is_over_rests_on_the_screen_and_still_writes_until_q(open_terminal: Open, tweets: Path) -> None:
    budget = ("--max-steps", "12", "--run-name", "short")
    terminal = open_terminal("--data", tweets, *SMALL_MODEL, *budget, columns=80, rows=24)
    terminal.wait_for("The run is over: max steps reached")
    terminal.wait_for(r"paused +step 12\b")
    terminal.press("+", "g")
    terminal.wait_for("0.85 [●◐○]")
    terminal.press("space")
    terminal.wait_for("Resume it with a larger --max-steps")
    terminal.press("escape")
    terminal.wait_until_gone("larger --max-steps")
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
    assert "best" in terminal.text
    assert "tweetgen-tui --resume short --max-steps 24" in terminal.text
