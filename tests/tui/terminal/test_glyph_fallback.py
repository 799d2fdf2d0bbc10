"""Every glyph that the screen draws has a replacement of the same width in each glyph set."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

import tui
from tests.fakes import FakeSession, eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, screen_text
from tui.settings.key_table import MAIN_KEYS
from tui.terminal.capabilities import GlyphSet
from tui.terminal.glyph_fallback import FALLBACKS, GlyphFilter
from tui.widgets.plot.loss_plot import LossPlot

BLACK = Color(0, 0, 0)
SOURCES = sorted(Path(tui.__path__[0]).rglob("*.py"))
NOT_ON_THE_SCREEN = {"inspection_report.py", "glyphs.py", "char_classes.py"}
"""Sources whose strings are not drawn: a report on stdout, the glyph tables, and the vowels of several alphabets."""
FIRST_WORDS = {"app.command_palette": "Search", "xray.open_xray": "1 step"}
"""What a screen without a frame of its own shows, by the action that opens it."""


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
    assert {
        chr(code) for code, fallback in FALLBACKS[glyphs].items() if cell_len(chr(code)) != cell_len(fallback)
    } == set()


def test_braille_becomes_blocks_or_ascii_of_the_same_shape() -> None:
    assert translated("⣿⠉⣀⡇⢸ ╭ é", "block") == "█▀▄▌▐ ╭ é"
    assert translated("⣿⠉⣀⡇⠒ ╭─┃ é") == "#'.:- +-| é"


def test_glyphs_of_different_meaning_differ_in_ascii() -> None:
    for marks in ("●◐○", "○▶‖■✗", "●◆▲", "━─", "▲▼"):
        assert len(set(translated(marks))) == len(marks)


def test_without_utf8_other_characters_become_question_marks_of_the_same_width() -> None:
    assert translated("añ日👩‍👩‍👧x…", is_utf8=False) == "a?? ? x~"
    assert translated("añ日👩‍👩‍👧x…") == "añ日👩‍👩‍👧x~"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40))
def test_without_utf8_all_is_ascii(text: str) -> None:
    assert translated(text, is_utf8=False).isascii()


async def test_in_ascii_every_screen_is_ascii_and_glyphs_can_be_changed_while_it_is_up(stage: Stage) -> None:
    script = (
        steps_finished(1, [4.5 - 0.02 * step for step in range(100)]),
        eval_finished(50, 3.2, is_best=True),
        tweet_sampled("plain enough", 100, novelty="near-copy", reached_eos=False),
    )
    async with stage.running(FakeSession(script)) as at:
        await at.press(shows=("━ tweets", "plain enough…"))
        at.app.glyphs = "ascii"
        await at.press(shows="plain enough~")
        assert screen_text(at.app).isascii()
        assert at.app.screen.query_one(LossPlot).glyphs == "ascii"
        main = at.app.screen
        for key in (key for key in MAIN_KEYS if key.opens and key.name != "prompt"):
            await at.press(key.keys.split(",")[0], shows=FIRST_WORDS.get(key.action, "+-"))
            assert at.app.screen is not main
            assert {char for char in screen_text(at.app) if not char.isascii()} == set(), key.title
            at.app.pop_screen()
        at.app.glyphs = "braille"
        await at.press(shows=("━ tweets", "plain enough…"))
