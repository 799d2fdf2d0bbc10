"""Other tweets in the real program: a new run on a file typed or dropped in; a wrong one leaves the run alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import write_tweets
from tests.e2e.conftest import QUIET, Open
from tests.e2e.terminal import Terminal

SIZES = [(120, 40), (80, 24), (40, 12)]


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Sixty tweets in a file with a blank in its name."""
    return write_tweets(tmp_path / "other tweets.txt")


def _paste(terminal: Terminal, text: str) -> None:
    """Paste as a terminal does, also when a file is dropped into it."""
    terminal.press(f"\x1b[200~{text}\x1b[201~")


def _runs(home: Path) -> int:
    return len(list((home / "runs").iterdir()))


def _ends_well(terminal: Terminal) -> None:
    """Leave, with nothing amiss."""
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
    assert terminal.modes_left_set == []
    assert "Traceback" not in terminal.text


def test_o_starts_a_new_run_on_another_file_and_the_first_can_be_resumed(
    screen: Terminal, others: Path, home: Path
) -> None:
    screen.press("o")
    screen.wait_for(r"\.\. +the folder above")
    screen.press(str(others))
    screen.wait_for(r"other tweets\.txt +│")
    screen.press("enter")
    screen.wait_for("Enter saves the run watched")
    screen.press("enter")
    screen.wait_until(lambda: _runs(home) == 2, "no second run")
    assert (home / "runs" / "watched" / "checkpoints" / "latest.safetensors").is_file()
    screen.wait_for("▶ training")
    _ends_well(screen)
    assert "Run before it:  tweetgen-tui --resume watched  (tweets.txt)" in screen.text
    assert "Go on with it:  tweetgen-tui --resume 20" in screen.text


def test_a_path_that_is_typed_and_entered_at_once_is_the_one_that_is_opened(screen: Terminal, others: Path) -> None:
    screen.press("o")
    screen.wait_for(r"\.\. +the folder above")
    screen.press(f"\x01\x0b{others}\r")
    screen.wait_for("other tweets.txt can be used")
    screen.wait_for("text · all 60 rows are tweets")
    screen.press("escape")
    screen.wait_until_gone("can be used")
    screen.press("escape")
    screen.wait_until_gone("Open other tweets")
    _ends_well(screen)


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_a_wrong_file_that_is_dropped_in_is_told_and_the_run_goes_on_then_a_right_one_starts(
    open_terminal: Open, tweets: Path, others: Path, home: Path, columns: int, rows: int
) -> None:
    terminal = open_terminal("--data", tweets, *QUIET, columns=columns, rows=rows)
    terminal.wait_for("▶ training")
    wrong = others.with_name("wrong.csv")
    wrong.write_bytes(b"")
    _paste(terminal, f"'{wrong}'")
    terminal.wait_for("is empty")
    terminal.press("escape")
    terminal.wait_until_gone("is empty")
    _paste(terminal, "good morning")
    terminal.wait_for("▶ training")
    assert _runs(home) == 1
    _paste(terminal, str(others).replace(" ", "\\ "))
    terminal.wait_for("can be used")
    terminal.press("enter")
    terminal.wait_until(lambda: _runs(home) == 2, "no second run")
    terminal.wait_for("▶ training")
    _ends_well(terminal)


def test_a_run_that_is_stopped_while_it_still_starts_makes_way_for_another(
    open_terminal: Open, tweets: Path, others: Path, home: Path
) -> None:
    terminal = open_terminal("--data", tweets, *QUIET, columns=80, rows=24)
    terminal.wait_for("tweets appear here")
    _paste(terminal, f"'{others}'")
    terminal.wait_for("can be used")
    terminal.press("enter")
    terminal.wait_for(r"▶ training(.|\n)*other tweets\.txt +\d+ tweets")
    _ends_well(terminal)
