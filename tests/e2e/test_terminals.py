"""What terminals get and send: few colours, ASCII, several keys in one read, and hostile text.

The terminal gets only escape sequences that the program itself uses.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests import hostile
from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import SCRIPTED, OpenTerminal

WILD = ("--sample-every", "2", "--eval-every", "0", "--temperature", "5", "--run-name", "zqj + run")

_SGR = re.compile(rb"\x1b\[([0-9;]*)m")
_BEYOND_16_COLOURS = re.compile(rb"(?:^|;)[34]8;[25];")
_COLOURS = {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}


def test_a_16_colour_terminal_in_an_ascii_locale_gets_only_its_colours_and_ascii(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(program=SCRIPTED, TERM="xterm", COLORTERM="", LC_ALL="C")
    terminal.wait_for("> training")
    terminal.wait_for(r"= tweets =+")
    for key in ("?", "s", "l"):
        terminal.press(key, shows="esc close")
        terminal.press("escape", lacks="esc close")
    raw = bytes(terminal.raw)
    assert re.findall(rb".{0,20}[\x80-\xff]+.{0,20}", raw) == []
    assert not [codes for codes in _SGR.findall(raw) if _BEYOND_16_COLOURS.search(codes)]
    numbers = {int(number) for codes in _SGR.findall(raw) for number in codes.split(b";") if number}
    assert len(numbers & _COLOURS) >= 5


@pytest.mark.ci
def test_no_color_emits_greys_only_and_the_option_ascii_leaves_tweets_unchanged(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal("--ascii", program=SCRIPTED, NO_COLOR="1", LANG="C.UTF-8", LC_ALL="C.UTF-8")
    terminal.wait_for("hello ñ there")
    terminal.wait_for("> training")
    assert set(terminal.text) - {"ñ"} <= {chr(code) for code in range(128)}
    triples = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", bytes(terminal.raw))
    assert len(triples) > 10
    assert all(red == green == blue for red, green, blue in triples)


def test_text_after_a_key_that_opens_an_input_is_typed_into_that_input(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(program=SCRIPTED)
    terminal.wait_for("▶ training")
    terminal.press("pquick", shows="› quick")
    terminal.press("escape", lacks="› quick")
    terminal.press("sabc\x7fZ", shows="abZ")
    assert "▶ training" in terminal.text


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
    terminal.press("enter", shows="Tweet of step")
    terminal.press("escape", lacks="Tweet of step")
    terminal.press("p", shows="enter sample")
    terminal.press(
        "\x1b[200~zqj\x07\x9b31m\u202e\x1b[201~", shows="› zqj"
    )  # without ESC, which terminals remove from pastes
    terminal.press("escape", lacks="enter sample")
    terminal.press("o", shows="-zqj --help.txt")
    terminal.press("escape", lacks="Open other tweets")
    terminal.press("q")
    terminal.assert_ends(0)
    assert "--resume" in terminal.text
    assert sorted(set(hostile.unknown_sequences(bytes(terminal.raw)))) == []
    assert list(hostile.unknown_sequences(hostile.ESCAPES["clipboard"].encode()))
    assert [text for text in hostile.ESCAPES.values() if text.encode() in terminal.raw] == []
    assert b"\x1b]0;PWNED" not in terminal.raw
