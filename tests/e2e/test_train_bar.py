"""`tweetgen-tui train` on a terminal: a progress bar that leaves nothing behind."""

from __future__ import annotations

import signal
from pathlib import Path

from engine.checkpoint_info import read_info
from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import Open


def test_the_bar_shows_the_progress_and_ctrl_c_saves_and_takes_it_away(
    open_terminal: Open, home: Path, tweets: Path
) -> None:
    budget = ("--max-seconds", "900", "--run-name", "watched")
    terminal = open_terminal("train", "--data", tweets, *SMALL_MODEL, *budget)
    terminal.wait_for(r"step [\d,]+  epoch [\d.]+  loss [\d.]+ .*ends in 15 min")
    terminal.press("ctrl+c")
    assert terminal.wait_for_exit()[0] == 130
    assert terminal.modes_left_set == []
    assert "ends in" not in terminal.text
    assert "Go on with it:  tweetgen-tui --resume watched" in terminal.text
    assert read_info(home / "runs" / "watched" / "checkpoints" / "latest.safetensors")[0].step > 0


def test_an_impatient_ctrl_c_gives_the_cursor_back_too(open_terminal: Open, tweets: Path) -> None:
    terminal = open_terminal("train", "--data", tweets, *SMALL_MODEL)
    terminal.wait_for("loading torch")
    terminal.send_signal_until_it_ends(signal.SIGINT)
    assert terminal.wait_for_exit()[0] == 130
    assert terminal.modes_left_set == []


def test_a_dropped_connection_saves_the_run(open_terminal: Open, home: Path, tweets: Path) -> None:
    terminal = open_terminal("train", "--data", tweets, *SMALL_MODEL, "--run-name", "watched")
    terminal.wait_for(r"step [1-9]")
    terminal.hang_up()
    assert terminal.wait_for_exit_without_terminal() == 129
    assert read_info(home / "runs" / "watched" / "checkpoints" / "latest.safetensors")[0].step > 0
