"""Terminals with few colours or without Unicode."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import SCRIPTED, OpenTerminal

_SGR = re.compile(rb"\x1b\[([0-9;]*)m")
_BEYOND_16_COLOURS = re.compile(rb"(?:^|;)[34]8;[25];")
_COLOURS = {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}


def test_a_16_colour_terminal_in_an_ascii_locale_gets_only_its_colours_and_ascii(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(program=SCRIPTED, TERM="xterm", COLORTERM="", LC_ALL="C")
    terminal.wait_for("> training")
    terminal.wait_for(r"= tweets =+")
    for key in ("?", "s", "l"):
        terminal.press(key)
        terminal.wait_for("esc close")
        terminal.press("escape")
        terminal.wait_until_gone("esc close")
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
