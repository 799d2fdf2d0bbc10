"""The text under the lamp: lines with glyphs below, a cursor, and the way back from a cell to a symbol."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from tests.strategies import hostile_text
from tui.formatting.cells import cell_len
from tui.xray.glyphs import ASCII, UNICODE, Glyphs
from tui.xray.layout import line_width
from tui.xray.shades import Shades
from tui.xray.spans import plain
from tui.xray.text_strip import TextStrip

SIGNED = Shades((-1.0, 0.0, 1.0, None), "state", "-1", "1", is_signed=True)
STRONGEST = Shades((None, 0.0, 0.2, 0.9, 0.0, 0.0), "bits", "0", "8")
FIVE_LINES = "aaa bbb ccc ddd eee"


def rising(text: str) -> Shades:
    """Return values that rise by an eighth a symbol, none for `<BOS>`."""
    return Shades((None, *(place % 8 / 7 for place in range(len(text) + 1))), "place", "0", "7")


def lines_of(
    text: str, width: int = 20, height: int = 10, cursor: int = 0, shades: Shades | None = None, **layout: Any
) -> str:
    glyphs: Glyphs = layout.pop("glyphs", UNICODE)
    strip = TextStrip(text, width, glyphs, **layout)
    return plain(strip.picture(cursor, height, rising(text) if shades is None else shades))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"text": "abcdefgh"}, id="a glyph below each character"),
        pytest.param({"text": "abcdefgh", "glyphs": ASCII}, id="in ASCII"),
        pytest.param({"text": "ab", "shades": SIGNED, "cursor": 2}, id="signed values use the whole ramp"),
        pytest.param({"text": "one two three", "width": 9}, id="lines break after a blank"),
        pytest.param({"text": "one two three", "width": 8}, id="a blank at the end of a line has its cell"),
        pytest.param({"text": "abcdefgh", "width": 5}, id="a long word breaks anywhere"),
        pytest.param({"text": "good luck", "first_own": 5}, id="a boundary before what the model wrote"),
        pytest.param({"text": "good", "first_own": 4}, id="a boundary before the end"),
        pytest.param({"text": "good", "first_own": 0}, id="a boundary at the start"),
        pytest.param({"text": "abc", "has_ended": False}, id="a text that was cut ends with an ellipsis"),
        pytest.param({"text": "a👍🏽b", "shades": STRONGEST, "cursor": 1}, id="a grapheme has its strongest value"),
        pytest.param({"text": "a👍🏽b", "shades": STRONGEST, "cursor": 3}, id="the cursor on a grapheme"),
        *(
            pytest.param({"text": FIVE_LINES, "width": 5, "height": height, "cursor": cursor}, id=about)
            for height, cursor, about in (
                (10, 0, "five lines"),
                (4, 0, "two lines at the start"),
                (4, 10, "two lines in the middle"),
                (2, 13, "one line"),
                (1, 13, "one line without glyphs"),
                (3, 19, "one line at the end"),
                (0, 0, "no line"),
            )
        ),
    ],
)
def test_a_text_is_drawn_as_recorded(options: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    assert lines_of(**options) == snapshot


def test_without_shades_only_the_cursor_is_below() -> None:
    assert plain(TextStrip("abc", 20, UNICODE).picture(2, 2)) == "▸abc■\n  ▲"


def test_the_cursor_marks_a_whole_grapheme_and_a_blank_keeps_its_cell() -> None:
    marked = [
        [span.text for span in TextStrip("a👍🏽b", 20, UNICODE).picture(cursor, 2)[0] if span.kind == "cursor"]
        for cursor in (2, 3)
    ]
    assert marked == [["👍🏽"], ["👍🏽"]]
    first, *_ = TextStrip("one two three", 9, UNICODE).picture(0, 6)
    assert first[-1].text == " "


def test_a_cell_leads_back_to_its_symbol() -> None:
    strip = TextStrip("a漢b c", 5, UNICODE)
    first, second = [0, 1, 2, 2, 3, None], [4, 5, 6, None, None, None]
    found = [[strip.symbol_at(x, y, 0, 9) for x in range(6)] for y in range(5)]
    assert found == [first, first, second, second, [None] * 6]
    scrolled = TextStrip("aaa bbb ccc", 5, UNICODE)
    assert [scrolled.symbol_at(x, 0, 10, height) for x, height in ((0, 2), (0, 1), (-1, 2))] == [9, 9, None]
    divided = TextStrip("ab", 20, UNICODE, first_own=1)
    assert [divided.symbol_at(x, 0, 0, 2) for x in range(5)] == [0, 1, 2, 2, 3], "the boundary is the first own one"


def test_the_cursor_moves_to_the_same_column_of_another_line_but_never_to_the_end() -> None:
    strip = TextStrip("aaa bbb cc", 5, UNICODE)  # lines "▸aaa ", "bbb ", "cc■"
    assert [strip.moved_by_lines(cursor, 1) for cursor in range(11)] == [5, 6, 7, 8, 8, 9, 10, 10, 10, 9, 10]
    assert [strip.moved_by_lines(cursor, -1) for cursor in (2, 5, 7, 10)] == [2, 0, 2, 6]


@given(hostile_text(), st.integers(1, 24), st.integers(0, 9), st.data())
def test_no_text_is_wider_than_the_width_or_hides_its_cursor_and_a_shade_never_comes_without_its_glyph(
    text: str, width: int, height: int, data: st.DataObject
) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    strip = TextStrip(text, width, UNICODE, first_own=data.draw(st.none() | st.integers(0, len(text))))
    picture = strip.picture(cursor, height, rising(text))
    assert len(picture) <= height
    assert all(cell_len("".join(span.text for span in line)) == line_width(line) <= width for line in picture)
    assert any(span.kind == "cursor" for line in picture for span in line) == (height > 0)
    for above, below in zip(picture[::2], picture[1::2], strict=False) if height > 1 else ():
        for upper, lower in zip(above, below, strict=True):
            assert upper.shade is None or set(lower.text) == {UNICODE.level(upper.shade)}
    for number in (-1, 1):
        assert 0 <= strip.moved_by_lines(cursor, number) <= len(text)


@given(hostile_text(), st.integers(1, 24), st.data())
def test_the_cell_of_the_cursor_leads_back_to_its_grapheme(text: str, width: int, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    strip = TextStrip(text, width, UNICODE)
    picture = strip.picture(cursor, 2)
    before = next(number for number, span in enumerate(picture[0]) if span.kind == "cursor")
    found = strip.symbol_at(line_width(picture[0][:before]), 0, cursor, 2)
    assert found is not None
    assert strip.picture(found, 2) == picture
