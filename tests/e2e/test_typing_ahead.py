"""What is typed in one go into the real program, as a paste or a slow line delivers it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import Open


def test_what_follows_a_key_that_opens_a_line_is_typed_into_it(open_terminal: Open, tweets: Path) -> None:
    terminal = open_terminal("--data", tweets, *SMALL_MODEL, "--sample-every", "0", "--eval-every", "0")
    terminal.wait_for("▶ training")
    terminal.press("pquick")
    terminal.wait_for("› quick")
    terminal.press("escape")
    terminal.wait_until_gone("› quick")
    terminal.press("sabc\x7fZ")
    terminal.wait_for("abZ")
    assert "▶ training" in terminal.text
