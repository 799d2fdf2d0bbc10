"""Sizes of the terminal, and changes of it."""

from __future__ import annotations

import pytest

from tests.e2e.terminal import Terminal


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (60, 20), (40, 12), (200, 60)])
def test_it_is_whole_and_answers_keys_after_a_resize(shared: Terminal, columns: int, rows: int) -> None:
    shared.resize(columns, rows)
    shared.wait_until(lambda: _is_whole(shared, columns, rows), f"never whole at {columns}x{rows}")
    shared.press("space")
    shared.wait_for("paused")
    shared.press("space")
    shared.wait_for("training")
    shared.resize(120, 40)
    shared.wait_until(lambda: _is_whole(shared, 120, 40), "never whole again at 120x40")


def test_tab_shows_the_panels_of_a_tiny_terminal_one_after_the_other(shared: Terminal) -> None:
    shared.resize(40, 12)
    for number, words in enumerate(
        (r"\[tweets\]", r"\[plot\].*[\s\S]*nats/char", r"\[status\].*[\s\S]*bits/char", r"\[tweets\]")
    ):
        shared.wait_for(words)
        shared.wait_for(f"tab {number % 3 + 1}/3")
        if number < 3:
            shared.press("\t")
    shared.resize(120, 40)
    shared.wait_until(lambda: _is_whole(shared, 120, 40), "never whole again at 120x40")


def test_a_storm_of_sizes_leaves_it_whole(shared: Terminal) -> None:
    for columns, rows in [(200, 60), (39, 11), (40, 12), (10, 3), (300, 100), (80, 24), (41, 13), (99, 29)] * 3:
        shared.resize(columns, rows)
    shared.resize(120, 40)
    shared.wait_until(lambda: _is_whole(shared, 120, 40), "never whole again at 120x40")


def _is_whole(screen: Terminal, columns: int, rows: int) -> bool:
    """Say whether status, plot, feed and keys are there and fill the terminal to its edges."""
    lines = screen.text.splitlines()
    is_low = rows < 18  # then there is neither plot nor frame
    feed_top = [line for line in lines if line.startswith("╭─ ") and "tweet" in line]
    return (
        len(lines) == rows
        and lines[-1].strip().startswith("space")
        and "step" in screen.text
        and (is_low or [len(line) for line in feed_top] == [columns])
        and (is_low or "⠒⠒ train" in screen.text)
    )


def test_a_terminal_that_is_too_small_says_so_and_the_run_goes_on(shared: Terminal) -> None:
    shared.resize(30, 8)
    shared.wait_for("needs 40")
    shared.resize(120, 40)
    shared.wait_for("▶ training")
