"""Capabilities of terminals, from simulated environments."""

from __future__ import annotations

import pytest

from tui.terminal.capabilities import GlyphSet, colour_system, glyphs_for, is_utf8

UTF_8, C_FROM_PYTHON = {"LANG": "en_US.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}  # what Python makes of LANG=C


@pytest.mark.parametrize(
    ("environ", "encoding", "glyphs"),
    [
        ({"LANG": "de_DE.utf8@euro"}, "utf-8", "braille"),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, "utf-8", "braille"),
        ({"LC_ALL": "", "LC_CTYPE": "", "LANG": "ja_JP.UTF-8"}, "utf-8", "braille"),
        ({"LC_CTYPE": "UTF-8"}, "utf-8", "braille"),  # what macOS sends through ssh
        ({}, "utf-8", "braille"),
        ({"LC_ALL": "POSIX"} | UTF_8, "utf-8", "ascii"),
        ({"LANG": "C"} | C_FROM_PYTHON, "utf-8", "ascii"),
        ({"LANG": "de_DE.ISO-8859-1"} | C_FROM_PYTHON, "utf-8", "ascii"),  # a locale that is not installed
        (UTF_8, "latin-1", "ascii"),
        (UTF_8, None, "braille"),
        ({}, None, "ascii"),
    ],
)
def test_a_locale_and_an_output_in_utf8_get_braille_any_other_ascii(
    environ: dict[str, str], encoding: str | None, glyphs: GlyphSet
) -> None:
    assert glyphs_for(environ, encoding) == glyphs
    assert is_utf8(environ, encoding) == (glyphs == "braille")


def test_the_linux_console_has_no_font_for_dots() -> None:
    assert glyphs_for({"TERM": "linux"} | UTF_8, "utf-8") == "ascii"


def test_no_color_is_none_and_a_forced_system_is_believed() -> None:
    assert colour_system({"TERM": "xterm-256color", "NO_COLOR": "1"}) == "none"
    assert colour_system({"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "truecolor"}) == "truecolor"
    assert colour_system({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "standard"}) == "16"
    assert colour_system({"TERM": "dumb", "COLORTERM": "truecolor"}) == "none"
