"""Hostile text in the real program: the terminal gets only escape sequences that the program itself uses."""

from __future__ import annotations

import os
from pathlib import Path

from tests import hostile
from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import OpenTerminal

WILD = ("--sample-every", "2", "--eval-every", "0", "--temperature", "5", "--run-name", "zqj + run")


def test_a_run_on_a_hostile_corpus_emits_none_of_its_escape_sequences(
    open_terminal: OpenTerminal, tmp_path: Path
) -> None:
    folder = tmp_path / "in\x1b[31m"
    folder.mkdir()
    for name in hostile.FILE_NAMES:
        (folder / os.fsdecode(name)).write_bytes(b"zqj\n")
    corpus = hostile.write_corpus(folder / "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e\n[red] :smile:.txt")
    terminal = open_terminal("--data", corpus, *SMALL_MODEL, *WILD, columns=80, rows=24)
    terminal.wait_for("▶ training")
    terminal.wait_for(r"\d [●◐○] ")
    terminal.press("enter")
    terminal.wait_for("Tweet of step")
    terminal.press("escape")
    terminal.wait_until_gone("Tweet of step")
    terminal.press("p")
    terminal.wait_for("enter sample")
    terminal.press("\x1b[200~zqj\x07\x9b31m\u202e\x1b[201~")  # without ESC, which terminals remove from pastes
    terminal.wait_for("› zqj")
    terminal.press("escape")
    terminal.wait_until_gone("enter sample")
    terminal.press("o")
    terminal.wait_for("-zqj --help.txt")
    terminal.press("escape")
    terminal.wait_until_gone("Open other tweets")
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
    assert terminal.is_restored
    assert "--resume" in terminal.text
    assert sorted(set(hostile.unknown_sequences(bytes(terminal.raw)))) == []
    assert list(hostile.unknown_sequences(hostile.ESCAPES["clipboard"].encode()))
    assert [text for text in hostile.ESCAPES.values() if text.encode() in terminal.raw] == []
    assert b"\x1b]0;PWNED" not in terminal.raw
