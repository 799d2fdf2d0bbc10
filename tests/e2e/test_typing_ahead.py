"""Several keys in one read, as from a slow connection."""

from __future__ import annotations

from tests.e2e.conftest import SCRIPTED, OpenTerminal


def test_text_after_a_key_that_opens_an_input_is_typed_into_that_input(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(program=SCRIPTED)
    terminal.wait_for("▶ training")
    terminal.press("pquick")
    terminal.wait_for("› quick")
    terminal.press("escape")
    terminal.wait_until_gone("› quick")
    terminal.press("sabc\x7fZ")
    terminal.wait_for("abZ")
    assert "▶ training" in terminal.text
