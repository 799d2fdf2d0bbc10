"""Hostile text in the real program, in a terminal: what comes out are sequences that the program itself uses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests import hostile
from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import Open
from tests.e2e.terminal import Terminal

WILD = ("--sample-every", "2", "--eval-every", "0", "--temperature", "5", "--run-name", "zqj + run")
HOSTILE_FIELDS = ("run", "corpus", "text", "message", "name", "path", "device", "precision", "prime", "reason")
WORST = hostile.ALL_AT_ONCE.encode("utf-8", "ignore").decode()
SIZES = [(120, 40), (80, 24)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hostile corpus under a hostile name, among other files with such names."""
    folder = tmp_path_factory.mktemp("in\x1b[31m")
    for name in hostile.FILE_NAMES:
        (folder / os.fsdecode(name)).write_bytes(b"zqj\n")
    return hostile.write_corpus(folder / "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e\n[red] :smile:.txt")


def assert_harmless(terminal: Terminal) -> None:
    """Check all bytes that the program has written so far."""
    assert sorted(set(hostile.unknown_sequences(bytes(terminal.raw)))) == []
    assert [text for text in hostile.ESCAPES.values() if text.encode() in terminal.raw] == []
    assert b"\x1b]0;PWNED" not in terminal.raw


def _leave(terminal: Terminal) -> None:
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
    assert terminal.modes_left_set == []
    assert "Traceback" not in terminal.text
    assert_harmless(terminal)


def test_what_is_found_unknown_is_what_a_terminal_would_obey() -> None:
    also_used = {"colour", "clears the screen", "moves the cursor", "alternate screen", "title"}
    texts = [text for name, text in hostile.ESCAPES.items() if name not in also_used]
    controls = [text for name, text in hostile.CONTROLS.items() if name != "overwritten by CR"]  # the bar is, too
    for text in [*texts, *controls, hostile.UNSEEN["right to left override"]]:
        assert list(hostile.unknown_sequences(text.encode())), ascii(text)
    assert not list(hostile.unknown_sequences("zqj [red] 漢 👩\u200d🚀 é\r\n".encode()))


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_a_run_on_a_hostile_corpus_on_the_screen(open_terminal: Open, corpus: Path, columns: int, rows: int) -> None:
    terminal = open_terminal("--data", corpus, *SMALL_MODEL, *WILD, columns=columns, rows=rows)
    terminal.wait_for("▶ training")
    terminal.wait_for(r"5\.00 [●◐○] ")
    terminal.press("t")
    terminal.wait_for(r"seed \d")
    terminal.press("escape")
    terminal.wait_until_gone("roll again")
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
    terminal.wait_for("esc close")
    terminal.wait_for("-zqj --help.txt")
    terminal.press("down", "down", "escape")
    terminal.wait_until_gone("Open other tweets")
    _leave(terminal)
    assert "--resume" in terminal.text


def test_a_run_on_a_hostile_corpus_beside_the_bar(open_terminal: Open, corpus: Path) -> None:
    terminal = open_terminal("train", "--data", corpus, *SMALL_MODEL, *WILD, "--max-steps", "30")
    assert terminal.wait_for_exit()[0] == 0
    assert "zqj" in terminal.text
    assert_harmless(terminal)


def _edit_journal(path: Path) -> None:
    """Put hostile text wherever a journal has text, as somebody could who gives a run away."""

    def edited(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: edited(each, key) for key, each in value.items()}
        return value if name not in HOSTILE_FIELDS else f"zqj {WORST}"

    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    # and what is no JSON, for msgspec; such a line is left out
    lines[1:1] = [lines[0] | {"run": "\ud800"}]
    warned = {"event": "Warned", "step": 1, "elapsed_seconds": 0.1, "message": ""}
    path.write_text("".join(json.dumps(edited(line)) + "\n" for line in [*lines[:2], warned, *lines[2:]]))


def test_a_journal_that_was_edited_is_played_and_gone_on_with_harmlessly(open_terminal: Open, trained: Path) -> None:
    _edit_journal(trained / "runs" / "first" / "events.jsonl")
    replayed = open_terminal("runs", "replay", "first", "--speed", "max")
    replayed.wait_for("replay")
    replayed.wait_for("zqj")
    replayed.press("enter")
    replayed.wait_for("Tweet of step")
    replayed.press("escape")
    replayed.wait_until_gone("Tweet of step")
    _leave(replayed)
    resumed = open_terminal("--resume", "first", "--max-steps", "100000")
    resumed.wait_for("▶ training")
    resumed.wait_for("zqj")
    _leave(resumed)


@pytest.mark.parametrize("arguments", [("train", "--data"), ("train", "--preset"), ("checkpoints", "show"), ()])
def test_a_mistake_is_told_harmlessly(open_terminal: Open, arguments: tuple[str, ...]) -> None:
    terminal = open_terminal(*arguments, "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e [/foo][@click=app.bell]x")
    assert terminal.wait_for_exit()[0] in (1, 2)
    assert "zqj" in terminal.text
    assert_harmless(terminal)
