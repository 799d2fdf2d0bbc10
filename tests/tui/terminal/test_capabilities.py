"""What a terminal can show and copy: by its environment, with a replacement of the same width for each other glyph."""

from __future__ import annotations

import ast
import base64
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

import tui
from tests import hostile
from tests.strategies import hostile_text
from tui.terminal import sequences as clipboard
from tui.terminal.capabilities import GlyphSet, colour_system, glyphs_for, is_utf8
from tui.terminal.glyphs import FALLBACKS, GlyphFilter

UTF_8, C_FROM_PYTHON = {"LANG": "en_US.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}  # what Python makes of LANG=C
BRAILLE: tuple[tuple[dict[str, str], str | None], ...] = (
    ({"LANG": "de_DE.utf8@euro"}, "utf-8"),
    ({"LC_ALL": "C.UTF-8", "LANG": "C"}, "utf-8"),
    ({"LC_ALL": "", "LC_CTYPE": "", "LANG": "ja_JP.UTF-8"}, "utf-8"),
    ({"LC_CTYPE": "UTF-8"}, "utf-8"),  # what macOS sends through ssh
    *(({}, "utf-8"), (UTF_8, None)),
)
ONLY_ASCII: tuple[tuple[dict[str, str], str | None], ...] = (
    *(({"LC_ALL": "POSIX"} | UTF_8, "utf-8"), ({"LANG": "C"} | C_FROM_PYTHON, "utf-8")),
    ({"LANG": "de_DE.ISO-8859-1"} | C_FROM_PYTHON, "utf-8"),  # a locale that is not installed
    *((UTF_8, "latin-1"), ({}, None)),
)


def test_a_locale_and_an_output_in_utf8_get_braille_any_other_ascii() -> None:
    assert {(glyphs_for(*case), is_utf8(*case)) for case in BRAILLE} == {("braille", True)}
    assert {(glyphs_for(*case), is_utf8(*case)) for case in ONLY_ASCII} == {("ascii", False)}


def test_no_color_is_none_a_forced_system_is_believed_and_the_linux_console_has_no_font_for_dots() -> None:
    assert glyphs_for({"TERM": "linux"} | UTF_8, "utf-8") == "ascii"
    assert colour_system({"TERM": "xterm-256color", "NO_COLOR": "1"}) == "none"
    assert colour_system({"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "truecolor"}) == "truecolor"
    assert colour_system({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "standard"}) == "16"
    assert colour_system({"TERM": "dumb", "COLORTERM": "truecolor"}) == "none"


def test_osc_52_is_base64_and_wrapped_for_multiplexers() -> None:
    assert clipboard.osc52("héllo 雪") == f"\x1b]52;c;{base64.b64encode('héllo 雪'.encode()).decode()}\x07"
    sequence = clipboard.osc52("x" * 500)
    assert clipboard.wrapped_for(sequence, "tmux") == f"\x1bPtmux;\x1b{sequence}\x1b\\"
    pieces = clipboard.wrapped_for(sequence, "screen").split("\x1b\\")[:-1]
    assert all(piece.startswith("\x1bP") and len(piece) < 256 for piece in pieces)  # longer ones are dropped
    assert "".join(piece.removeprefix("\x1bP") for piece in pieces) == sequence
    assert clipboard.wrapped_for(sequence, "no") == ""


def test_copied_text_is_harmless() -> None:
    for text in [*hostile.TEXTS.values(), hostile.ALL_AT_ONCE]:
        app = mock.Mock(_driver=None)
        clipboard.copy(app, text, {"TMUX": "/tmp/x"})
        [copied] = app.copy_to_clipboard.call_args.args
        assert hostile.obeyed(copied) == []


BLACK = Color(0, 0, 0)
SOURCES = sorted(Path(tui.__path__[0]).rglob("*.py"))
NOT_ON_THE_SCREEN = {"inspection_report.py", "glyphs.py", "drawing.py", "char_map.py"}
"""Sources whose strings are not drawn: a report on stdout, the glyph tables, and the vowels of several alphabets."""


def translated(text: str, glyphs: GlyphSet = "ascii", *, is_utf8: bool = True) -> str:
    """Return `text` after the filter."""
    return "".join(segment.text for segment in GlyphFilter(glyphs, is_utf8=is_utf8).apply([Segment(text)], BLACK))


def literals(path: Path) -> Iterator[str]:
    """Yield the string literals of a source, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_every_glyph_in_the_sources_has_an_ascii_replacement() -> None:
    sources = [path for path in SOURCES if path.name not in NOT_ON_THE_SCREEN]
    beyond_ascii = {char for path in sources for text in literals(path) for char in text if not char.isascii()}
    assert len(beyond_ascii) > 30
    assert {char for char in beyond_ascii if not translated(char).isascii()} == set()


@pytest.mark.parametrize("glyphs", list(FALLBACKS))
def test_a_replacement_is_as_wide_as_its_glyph(glyphs: GlyphSet) -> None:
    assert [code for code, fallback in FALLBACKS[glyphs].items() if cell_len(chr(code)) != cell_len(fallback)] == []


def test_a_replacement_has_the_shape_of_its_glyph_and_differs_from_other_meanings_or_is_a_question_mark() -> None:
    assert translated("⣿⠉⣀⡇⢸ ╭ é", "block") == "█▀▄▌▐ ╭ é"
    assert translated("⣿⠉⣀⡇⠒ ╭─┃ é") == "#'.:- +-| é"
    for marks in ("●◐○", "○▶‖■✗", "●◆▲", "━─", "▲▼"):
        assert len(set(translated(marks))) == len(marks)
    assert translated("añ日👩‍👩‍👧x…", is_utf8=False) == "a?? ? x~"
    assert translated("añ日👩‍👩‍👧x…") == "añ日👩‍👩‍👧x~"


@given(hostile_text())
def test_without_utf8_all_is_ascii(text: str) -> None:
    assert translated(text, is_utf8=False).isascii()
