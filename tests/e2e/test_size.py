"""Sizes of the terminal, and changes of it."""

from __future__ import annotations

import pytest

from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import Open
from tests.e2e.terminal import Terminal


def test_it_stays_whole_and_answers_keys_while_it_is_resized(screen: Terminal) -> None:
    for columns, rows in ((80, 24), (60, 20), (120, 40)):
        screen.resize(columns, rows)
        screen.wait_until(lambda: _is_whole(screen, columns, rows), f"never whole at {columns}x{rows}")  # noqa: B023
        screen.press("space")
        screen.wait_for("paused")
        screen.press("space")
        screen.wait_for("training")


def _is_whole(screen: Terminal, columns: int, rows: int) -> bool:
    """Say whether plot, feed and keys fill the terminal to its edges, and the status is there."""
    lines = screen.text.splitlines()
    feed_top = [line for line in lines if line.startswith("╭─ tweets")]
    return (
        len(lines) == rows
        and len(feed_top) == 1
        and len(feed_top[0]) == columns
        and feed_top[0].endswith("╮")
        and lines[-1].strip().startswith("space")
        and "/char ━" in screen.text
        and "step" in screen.text
    )


def test_a_terminal_that_is_too_small_says_so_and_the_run_goes_on(screen: Terminal) -> None:
    screen.resize(30, 8)
    screen.wait_for("needs 40")
    screen.resize(120, 40)
    screen.wait_for("▶ training")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 12)])
def test_it_opens_at_any_size(open_terminal: Open, tweets: str, columns: int, rows: int) -> None:
    terminal = open_terminal("--data", tweets, *SMALL_MODEL, columns=columns, rows=rows)
    terminal.wait_for("training")
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
