"""Lesser glyphs: everything that the screen draws has a stand-in as wide as itself."""

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
from tests.fakes import FakeSession, evaluated, steps_finished, tweet
from tests.tui.conftest import Stage, screen_text, shows, wait_until
from tui.settings.key_table import MAIN_KEYS
from tui.terminal.capabilities import GlyphSet
from tui.terminal.glyph_fallback import STAND_INS, GlyphFilter
from tui.widgets.plot.loss_plot import LossPlot

BLACK = Color(0, 0, 0)
SOURCES = sorted(Path(tui.__path__[0]).rglob("*.py"))
NOT_ON_THE_SCREEN = {"inspection_report.py", "glyphs.py"}
"""A report on stdout; and the tables of stand-ins."""


def drawn(text: str, glyphs: GlyphSet = "ascii", *, is_utf8: bool = True) -> str:
    """Return a text as the filter lets it through."""
    return "".join(segment.text for segment in GlyphFilter(glyphs, is_utf8=is_utf8).apply([Segment(text)], BLACK))


def literals(path: Path) -> Iterator[str]:
    """Yield the strings of a source but for docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_every_glyph_that_the_source_draws_has_a_stand_in() -> None:
    sources = [path for path in SOURCES if path.name not in NOT_ON_THE_SCREEN]
    beyond_ascii = {char for path in sources for text in literals(path) for char in text if not char.isascii()}
    assert len(beyond_ascii) > 30
    assert {char for char in beyond_ascii if not drawn(char).isascii()} == set()


@pytest.mark.parametrize("glyphs", list(STAND_INS))
def test_a_stand_in_is_as_wide_as_what_it_stands_for(glyphs: GlyphSet) -> None:
    assert {
        chr(code) for code, stand_in in STAND_INS[glyphs].items() if cell_len(chr(code)) != cell_len(stand_in)
    } == set()


def test_blocks_stand_where_dots_were() -> None:
    assert drawn("⣿⠉⣀⡇⢸ ╭ é", "block") == "█▀▄▌▐ ╭ é"
    assert drawn("⣿⠉⣀⡇⠒ ╭─┃ é") == "#'.:- +-| é"


def test_what_differs_in_meaning_differs_in_ascii() -> None:
    for marks in ("●◐○", "○▶‖■✗", "●◆▲", "━─", "▲▼"):
        assert len(set(drawn(marks))) == len(marks)


def test_without_utf8_a_question_mark_stands_for_each_character_in_its_own_width() -> None:
    assert drawn("añ日👩‍👩‍👧x…", is_utf8=False) == "a?? ? x~"
    assert drawn("añ日👩‍👩‍👧x…") == "añ日👩‍👩‍👧x~"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40))
def test_without_utf8_all_is_ascii(text: str) -> None:
    assert drawn(text, is_utf8=False).isascii()


SCRIPT = (
    steps_finished(1, [4.5 - 0.02 * step for step in range(100)]),
    evaluated(50, 3.2, is_best=True),
    tweet("plain enough", 100, novelty="near-copy", reached_eos=False),
)


async def test_in_ascii_every_screen_is_ascii(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    app.glyphs = "ascii"
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 1)
        await shows(app, "plain enough~")
        main = app.screen
        for key in (key for key in MAIN_KEYS if key.opens and key.action != "prompt"):
            await pilot.press(key.keys.split(",")[0])
            await wait_until(lambda: app.screen is not main)
            await shows(app, "+-")
            assert {char for char in screen_text(app) if not char.isascii()} == set(), key.title
            app.pop_screen()


async def test_glyphs_can_be_changed_while_the_screen_is_up(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await shows(app, "╭─", "plain enough…")
        app.glyphs = "ascii"
        await shows(app, "plain enough~")
        await wait_until(lambda: screen_text(app).isascii(), "nothing but ASCII")
        assert app.screen.query_one(LossPlot).glyphs == "ascii"
        app.glyphs = "braille"
        await shows(app, "╭─", "plain enough…")
