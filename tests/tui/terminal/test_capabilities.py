"""Capabilities of terminals, from simulated environments."""

from __future__ import annotations

import pytest

from tui.terminal.capabilities import colour_system, glyphs_for, is_utf8


@pytest.mark.parametrize(
    "environ",
    [
        {"LANG": "de_DE.utf8@euro"},
        {"LC_ALL": "C.UTF-8", "LANG": "C"},
        {"LC_ALL": "", "LC_CTYPE": "", "LANG": "ja_JP.UTF-8"},
        {"LC_CTYPE": "UTF-8"},  # what macOS sends through ssh
        {},
    ],
)
def test_a_utf8_locale_or_no_locale_means_utf8(environ: dict[str, str]) -> None:
    assert is_utf8(environ, "utf-8")
    assert glyphs_for(environ, "utf-8") == "braille"


@pytest.mark.parametrize(
    "environ",
    [
        {"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"},
        {"LANG": "C", "LC_CTYPE": "C.UTF-8"},  # what Python makes of LANG=C
        {"LANG": "de_DE.ISO-8859-1", "LC_CTYPE": "C.UTF-8"},  # and of a locale that is not installed
    ],
)
def test_any_other_locale_gets_ascii_though_python_itself_writes_utf8(environ: dict[str, str]) -> None:
    assert not is_utf8(environ, "utf-8")
    assert glyphs_for(environ, "utf-8") == "ascii"


def test_an_output_that_is_not_utf8_gets_ascii_whatever_the_locale_and_without_one_the_locale_decides() -> None:
    assert glyphs_for({"LANG": "en_US.UTF-8"}, "latin-1") == "ascii"
    assert is_utf8({"LANG": "en_US.UTF-8"}, None)
    assert not is_utf8({}, None)


def test_the_linux_console_has_no_font_for_dots() -> None:
    assert glyphs_for({"TERM": "linux", "LANG": "en_US.UTF-8"}, "utf-8") == "ascii"


def test_no_color_is_none_and_a_forced_system_is_believed() -> None:
    assert colour_system({"TERM": "xterm-256color", "NO_COLOR": "1"}) == "none"
    assert colour_system({"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "truecolor"}) == "truecolor"
    assert colour_system({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "standard"}) == "16"
    assert colour_system({"TERM": "dumb", "COLORTERM": "truecolor"}) == "none"
