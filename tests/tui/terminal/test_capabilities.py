"""What a terminal can show, by its environment: other glyphs are replaced; title, notices and copied text fit it."""

from __future__ import annotations

import ast
import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from rich.cells import cell_len
from rich.segment import Segment
from syrupy.assertion import SnapshotAssertion
from textual.color import Color

import tui
from tests import hostile
from tests.fakes import eval_finished, paused, run_started, steps_finished
from tests.strategies import hostile_text
from tui.run.fold import fold
from tui.run.summary import title_of
from tui.run.view import RunView
from tui.terminal.capabilities import GlyphSet, colour_system, glyphs_for, is_utf8
from tui.terminal.glyphs import FALLBACKS, GlyphFilter
from tui.terminal.sequences import Notifications, copy, osc52, wrapped_for

UTF_8, C_FROM_PYTHON = {"LANG": "en_US.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}  # what Python makes of LANG=C
BRAILLE: tuple[tuple[Mapping[str, str], str | None], ...] = (
    ({"LANG": "de_DE.utf8@euro"}, "utf-8"),
    ({"LC_ALL": "C.UTF-8", "LANG": "C"}, "utf-8"),
    ({"LC_ALL": "", "LC_CTYPE": "", "LANG": "ja_JP.UTF-8"}, "utf-8"),
    ({"LC_CTYPE": "UTF-8"}, "utf-8"),  # what macOS sends through ssh
    *(({}, "utf-8"), (UTF_8, None)),
)
ONLY_ASCII: tuple[tuple[Mapping[str, str], str | None], ...] = (
    *(({"LC_ALL": "POSIX"} | UTF_8, "utf-8"), ({"LANG": "C"} | C_FROM_PYTHON, "utf-8")),
    ({"LANG": "de_DE.ISO-8859-1"} | C_FROM_PYTHON, "utf-8"),  # a locale that is not installed
    *((UTF_8, "latin-1"), ({}, None)),
)
NOT_ON_THE_SCREEN = {"inspection_report.py", "glyphs.py", "drawing.py", "char_map.py"}
"""Sources whose strings are not drawn: a report on stdout, the glyph tables, and the vowels of several alphabets."""


def test_a_locale_and_an_output_in_utf8_get_braille_any_other_ascii_as_does_the_linux_console() -> None:
    assert {(glyphs_for(*case), is_utf8(*case)) for case in BRAILLE} == {("braille", True)}
    assert {(glyphs_for(*case), is_utf8(*case)) for case in ONLY_ASCII} == {("ascii", False)}
    assert glyphs_for({"TERM": "linux"} | UTF_8, "utf-8") == "ascii"


def test_no_color_is_none_and_a_forced_system_is_believed() -> None:
    assert colour_system({"TERM": "xterm-256color", "NO_COLOR": "1"}) == "none"
    assert colour_system({"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "truecolor"}) == "truecolor"
    assert colour_system({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "standard"}) == "16"
    assert colour_system({"TERM": "dumb", "COLORTERM": "truecolor"}) == "none"


def translated(text: str, glyphs: GlyphSet = "ascii", *, is_utf8: bool = True) -> str:
    filtered = GlyphFilter(glyphs, is_utf8=is_utf8).apply([Segment(text)], Color(0, 0, 0))
    return "".join(segment.text for segment in filtered)


def literals(source: str) -> Iterator[str]:
    """Yield the string literals of a source, without docstrings."""
    nodes = [*ast.walk(ast.parse(source))]
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield node.value


def test_every_glyph_in_the_sources_has_an_ascii_replacement() -> None:
    paths = (path for path in Path(tui.__path__[0]).rglob("*.py") if path.name not in NOT_ON_THE_SCREEN)
    sources = (source for path in paths if not (source := path.read_text(encoding="utf-8")).isascii())
    beyond_ascii = {char for source in sources for text in literals(source) for char in text if not char.isascii()}
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


def test_osc_52_is_base64_and_wrapped_for_multiplexers() -> None:
    assert osc52("héllo 雪") == f"\x1b]52;c;{base64.b64encode('héllo 雪'.encode()).decode()}\x07"
    sequence = osc52("x" * 500)
    assert wrapped_for(sequence, "tmux") == f"\x1bPtmux;\x1b{sequence}\x1b\\"
    pieces = wrapped_for(sequence, "screen").split("\x1b\\")[:-1]
    assert all(piece.startswith("\x1bP") and len(piece) < 256 for piece in pieces)  # longer ones are dropped
    assert "".join(piece.removeprefix("\x1bP") for piece in pieces) == sequence
    assert wrapped_for(sequence, "no") == ""


def test_the_title_shows_run_bits_and_step(snapshot: SnapshotAssertion) -> None:
    started = run_started(run="first")
    training = (started, steps_finished(1, [2.0] * 19), eval_finished(12_300, 2.412))
    stories = ((), training, (started, steps_finished(1, [0.6931] * 3)), (*training, paused(9)))
    views = [*(fold(RunView(), story) for story in stories), fold(RunView(is_replay=True), [started])]
    assert "\n".join([*map(title_of, views), title_of(views[1], "nats")]) == snapshot


def notifications(term: str = "xterm-256color") -> tuple[Notifications, list[str]]:
    """Return notifications and what they have written to that terminal."""
    written: list[str] = []
    return Notifications(written.append, {"TERM": term}), written


def test_the_previous_title_is_saved_and_restored_and_each_title_written_once() -> None:
    to_terminal, written = notifications()
    for title in ("", "first", "second", "second", "", "", "first"):
        to_terminal.show_title(title)
    saved, restored = "\x1b[22;0t\x1b]0;first\x07", "\x1b]0;\x07\x1b[23;0t"
    assert written == [saved, "\x1b]0;second\x07", restored, saved]


def test_neither_copied_text_nor_the_name_of_a_run_nor_a_notification_can_send_a_sequence() -> None:
    for text in [*hostile.TEXTS.values(), hostile.ALL_AT_ONCE]:
        app = mock.Mock(_driver=None)
        copy(app, text, {"TMUX": "/tmp/x"})
        [copied] = app.copy_to_clipboard.call_args.args
        assert hostile.obeyed(copied) == []
    title = title_of(fold(RunView(), [run_started(run="a\x07\x1b]9;gotcha\x1b\\b" + "x" * 5000)]))
    assert not {"\x07", "\x1b"} & set(title)
    assert len(title) <= 120
    to_terminal, written = notifications()
    to_terminal.notify("a\x1b]0;gotcha\x07b", with_bell=False, on_desktop=True)
    assert [(text.count("\x1b"), text.count("\x07")) for text in written] == [(1, 1)]


def test_a_linux_console_which_would_print_other_sequences_gets_the_bell_only() -> None:
    for term, expected in (("xterm", ["\x1b[22;0t\x1b]0;first\x07", "\x1b]9;over\x07", "\x07"]), ("linux", ["\x07"])):
        to_terminal, written = notifications(term)
        to_terminal.show_title("first")
        to_terminal.notify("over", with_bell=True, on_desktop=True)
        assert written == expected
