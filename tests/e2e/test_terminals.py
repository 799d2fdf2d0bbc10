"""Terminals that lack something: colours, Unicode, a font; and the mouse, given back to the terminal."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.conftest import QUIET, Open
from tests.e2e.terminal import Terminal

_SGR = re.compile(rb"\x1b\[([0-9;]*)m")
_BEYOND_16_COLOURS = re.compile(rb"(?:^|;)[34]8;[25];")
_COLOURS = {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}
_MOUSE_MODE = 1003


def colour_codes(raw: bytes) -> set[int]:
    """Return the codes of the 16 colours among what was written."""
    numbers = {int(number) for codes in _SGR.findall(raw) for number in codes.split(b";") if number}
    return numbers & _COLOURS


def test_a_terminal_of_16_colours_gets_no_others(open_terminal: Open, tweets: Path) -> None:
    terminal = open_terminal("--data", tweets, *QUIET, TERM="xterm", COLORTERM="")
    terminal.wait_for("▶ training")
    terminal.press("?")
    terminal.wait_for("esc close")
    raw = bytes(terminal.raw)
    assert not [codes for codes in _SGR.findall(raw) if _BEYOND_16_COLOURS.search(codes)]
    assert len(colour_codes(raw)) >= 5


def test_where_the_locale_is_not_utf8_only_ascii_goes_out(open_terminal: Open, tweets: Path) -> None:
    terminal = open_terminal("--data", tweets, *QUIET, LC_ALL="C")
    terminal.wait_for("> training")
    terminal.wait_for(r"\+- .*tweets?.*-\+")
    for keys in ("?", "s", "l"):
        terminal.press(keys)
        terminal.wait_for("esc close")
        terminal.press("escape")
        terminal.wait_until_gone("esc close")
    assert re.findall(rb".{0,20}[\x80-\xff]+.{0,20}", bytes(terminal.raw)) == []


def test_ascii_can_be_asked_for_and_leaves_tweets_as_they_are(open_terminal: Open, tmp_path: Path) -> None:
    tweets = tmp_path / "tweets.txt"
    tweets.write_text("\n".join(f"ééé ñ {number}" for number in range(60)), encoding="utf-8")
    terminal = open_terminal("--data", tweets, *QUIET, "--ascii", LANG="C.UTF-8", LC_ALL="C.UTF-8")
    terminal.wait_for("> training")
    terminal.press("g")
    terminal.wait_for(r" [*+o] .*[éñ]")
    assert set(terminal.text) - set("éñ") <= {chr(code) for code in range(128)}


def test_no_color_writes_no_colour_but_greys(open_terminal: Open, tweets: Path) -> None:
    terminal = open_terminal("--data", tweets, *QUIET, NO_COLOR="1")
    terminal.wait_for("▶ training")
    triples = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", bytes(terminal.raw))
    assert len(triples) > 10
    assert all(red == green == blue for red, green, blue in triples)


def test_m_gives_the_mouse_to_the_terminal_and_takes_it_back(shared: Terminal) -> None:
    assert _MOUSE_MODE in shared.modes_left_set
    shared.press("m")
    shared.wait_for("drag to select")
    assert _MOUSE_MODE not in shared.modes_left_set
    shared.press("m")
    shared.wait_for("works on this screen again")
    assert _MOUSE_MODE in shared.modes_left_set


def test_doctor_asks_with_one_key_and_the_screen_heeds_the_answer(open_terminal: Open, tweets: Path) -> None:
    terminal = open_terminal("doctor")
    terminal.wait_for("Press 1, 2 or 3:")
    terminal.press("3")
    terminal.wait_for("draws with plain from now on")
    assert terminal.wait_for_exit()[0] == 0
    terminal = open_terminal("--data", tweets, *QUIET)
    terminal.wait_for("> training")


def test_doctor_changes_nothing_at_any_other_key(open_terminal: Open, home: Path) -> None:
    terminal = open_terminal("doctor")
    terminal.wait_for("Press 1, 2 or 3:")
    terminal.press("q")
    terminal.wait_for("Nothing is changed")
    assert terminal.wait_for_exit()[0] == 0
    assert not (home / "config.toml").exists()
