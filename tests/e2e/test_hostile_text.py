"""Hostile text in the real program, in a terminal: what comes out are sequences that the program itself uses."""

from __future__ import annotations

import os
from pathlib import Path

from tests import hostile
from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import Open

WILD = ("--sample-every", "2", "--eval-every", "0", "--temperature", "5", "--run-name", "zqj + run")


def test_a_run_on_a_hostile_corpus_shows_it_and_obeys_none_of_it(open_terminal: Open, tmp_path: Path) -> None:
    folder = tmp_path / "in\x1b[31m"
    folder.mkdir()
    for name in hostile.FILE_NAMES:
        (folder / os.fsdecode(name)).write_bytes(b"zqj\n")
    corpus = hostile.write_corpus(folder / "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e\n[red] :smile:.txt")
    terminal = open_terminal("--data", corpus, *SMALL_MODEL, *WILD, columns=80, rows=24)
    terminal.wait_for("▶ training")
    terminal.wait_for(r"5\.00 [●◐○] ")
    terminal.press("enter")
    terminal.wait_for("Tweet of step")
    terminal.press("escape")
    terminal.wait_until_gone("Tweet of step")
    terminal.press("p")
    terminal.wait_for("enter write it")
    terminal.press("\x1b[200~zqj\x07\x9b31m\u202e\x1b[201~")  # what terminals let through: an ESC they do not
    terminal.wait_for("› zqj")
    terminal.press("escape")
    terminal.wait_until_gone("enter write it")
    terminal.press("o")
    terminal.wait_for("-zqj --help.txt")
    terminal.press("escape")
    terminal.wait_until_gone("Open other tweets")
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
    assert terminal.is_at_rest
    assert "--resume" in terminal.text
    assert sorted(set(hostile.unknown_sequences(bytes(terminal.raw)))) == []
    assert [text for text in hostile.ESCAPES.values() if text.encode() in terminal.raw] == []
    assert b"\x1b]0;PWNED" not in terminal.raw


def test_what_is_found_unknown_is_what_a_terminal_would_obey() -> None:
    also_used = {"colour", "clears the screen", "moves the cursor", "alternate screen", "title"}
    texts = [text for name, text in hostile.ESCAPES.items() if name not in also_used]
    controls = [text for name, text in hostile.CONTROLS.items() if name != "overwritten by CR"]  # the bar is, too
    for text in [*texts, *controls, hostile.UNSEEN["right to left override"]]:
        assert list(hostile.unknown_sequences(text.encode())), ascii(text)
    assert not list(hostile.unknown_sequences("zqj [red] 漢 👩\u200d🚀 é\r\n".encode()))
