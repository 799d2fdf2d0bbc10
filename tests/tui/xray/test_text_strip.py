"""The text under the lamp: lines with glyphs below, a cursor, and the way back from a cell to a symbol."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import hostile_text
from tui.formatting.cells import cell_len
from tui.xray.glyphs import ASCII, UNICODE
from tui.xray.layout import line_width
from tui.xray.shades import Shades
from tui.xray.spans import plain
from tui.xray.text_strip import TextStrip


def rising(text: str) -> Shades:
    """Return values that rise by an eighth a symbol, none for `<BOS>`."""
    return Shades((None, *(place % 8 / 7 for place in range(len(text) + 1))), "place", "0", "7")


def lines_of(text: str, width: int = 20, height: int = 8, cursor: int = 0, first_own: int | None = None) -> list[str]:
    strip = TextStrip(text, width, UNICODE, first_own=first_own)
    return plain(strip.picture(cursor, height, rising(text))).split("\n")


def test_each_character_has_a_glyph_below_that_repeats_its_shade() -> None:
    assert lines_of("abcdefgh") == ["▸abcdefgh■", "▲▁▂▃▄▅▆▇█▁"]
    ascii_lines = plain(TextStrip("abcdefgh", 20, ASCII).picture(0, 8, rising("abcdefgh")))
    assert ascii_lines.split("\n") == [">abcdefgh#", "^ .:-=+*#"]


def test_a_shade_never_comes_without_its_glyph() -> None:
    text = "one 漢字 two"
    shades = rising(text)
    above, below = TextStrip(text, 20, UNICODE).picture(2, 2, shades)
    for upper, lower in zip(above, below, strict=True):
        if upper.shade is not None:
            assert set(lower.text) == {UNICODE.level(upper.shade)}


def test_signed_shades_use_the_whole_ramp() -> None:
    shades = Shades((-1.0, 0.0, 1.0, None), "state", "-1", "1", is_signed=True)
    assert plain(TextStrip("ab", 20, UNICODE).picture(2, 2, shades)) == "▸ab■\n▁▅▲"
    assert plain((shades.legend(ASCII),)) == "state: -1  .:-=+*# 1"


def test_without_shades_only_the_cursor_is_below() -> None:
    assert plain(TextStrip("abc", 20, UNICODE).picture(2, 2)) == "▸abc■\n  ▲"


def test_lines_break_after_a_blank_and_every_blank_has_its_cell() -> None:
    picture = TextStrip("one two three", 9, UNICODE).picture(0, 6)
    assert [[span.text for span in line][-1] for line in picture[::2]] == [" ", "■"]
    assert lines_of("one two three", width=9)[::2] == ["▸one two", "three■"]
    assert lines_of("one two three", width=8)[::2] == ["▸one two", " three■"]


def test_a_long_word_breaks_anywhere() -> None:
    assert lines_of("abcdefgh", width=5)[::2] == ["▸abcd", "efgh■"]


def test_a_boundary_separates_the_prompt_from_what_the_model_wrote() -> None:
    assert lines_of("good luck", first_own=5)[0] == "▸good │luck■"
    assert lines_of("good", first_own=4)[0] == "▸good│■"
    assert lines_of("good", first_own=0)[0] == "▸│good■"


def test_a_text_that_was_cut_ends_with_an_ellipsis() -> None:
    assert plain(TextStrip("abc", 20, UNICODE, has_ended=False).picture(0, 1)) == "▸abc…"


def test_the_cursor_marks_a_whole_grapheme_with_its_strongest_shade() -> None:
    text = "a👍🏽b"
    shades = Shades((None, 0.0, 0.2, 0.9, 0.0, 0.0), "bits", "0", "8")
    strip = TextStrip(text, 20, UNICODE)
    assert plain(strip.picture(1, 2, shades)) == "▸a👍🏽b■\n ▲██▁▁"
    for cursor in (2, 3):
        line, below = strip.picture(cursor, 2, shades)
        assert [span.text for span in line if span.kind == "cursor"] == ["👍🏽"]
        assert plain((below,)) == " ▁▲█▁▁"


def test_only_the_lines_around_the_cursor_are_drawn() -> None:
    text = "aaa bbb ccc ddd eee"
    assert lines_of(text, width=5, height=10)[::2] == ["▸aaa", "bbb", "ccc", "ddd", "eee■"]
    assert lines_of(text, width=5, height=4, cursor=0)[::2] == ["▸aaa", "bbb"]
    assert lines_of(text, width=5, height=4, cursor=10)[::2] == ["bbb", "ccc"]
    assert lines_of(text, width=5, height=2, cursor=13)[::2] == ["ddd"]
    assert lines_of(text, width=5, height=1, cursor=13) == ["ddd"]
    assert lines_of(text, width=5, height=3, cursor=19)[::2] == ["eee■"]
    assert TextStrip(text, 5, UNICODE).picture(0, 0) == ()


def test_every_cell_of_a_symbol_leads_back_to_it() -> None:
    strip = TextStrip("a漢b c", 5, UNICODE)
    assert plain(strip.picture(0, 9)).split("\n")[::2] == ["▸a漢b", " c■"]
    found = [[strip.symbol_at(x, y, 0, 9) for x in range(6)] for y in range(5)]
    first, second = [0, 1, 2, 2, 3, None], [4, 5, 6, None, None, None]
    assert found == [first, first, second, second, [None] * 6]


def test_a_cell_of_a_scrolled_text_leads_to_the_symbol_drawn_there() -> None:
    strip = TextStrip("aaa bbb ccc", 5, UNICODE)
    assert strip.symbol_at(0, 0, 10, 2) == 9
    assert strip.symbol_at(0, 0, 10, 1) == 9
    assert strip.symbol_at(-1, 0, 10, 2) is None


def test_the_cell_of_the_boundary_leads_to_the_first_own_character() -> None:
    strip = TextStrip("ab", 20, UNICODE, first_own=1)
    assert [strip.symbol_at(x, 0, 0, 2) for x in range(5)] == [0, 1, 2, 2, 3]


def test_the_cursor_moves_to_the_same_column_of_another_line_but_never_to_the_end() -> None:
    strip = TextStrip("aaa bbb cc", 5, UNICODE)
    assert lines_of("aaa bbb cc", width=5)[::2] == ["▸aaa", "bbb", "cc■"]
    assert [strip.moved_by_lines(cursor, 1) for cursor in range(11)] == [5, 6, 7, 8, 8, 9, 10, 10, 10, 9, 10]
    assert [strip.moved_by_lines(cursor, -1) for cursor in (2, 5, 7, 10)] == [2, 0, 2, 6]


@given(hostile_text(), st.integers(1, 24), st.integers(0, 9), st.data())
def test_no_text_is_wider_than_the_width_or_hides_its_cursor(
    text: str, width: int, height: int, data: st.DataObject
) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    first_own = data.draw(st.none() | st.integers(0, len(text)))
    strip = TextStrip(text, width, UNICODE, first_own=first_own)
    picture = strip.picture(cursor, height, rising(text))
    assert len(picture) <= height
    assert all(cell_len("".join(span.text for span in line)) == line_width(line) <= width for line in picture)
    assert any(span.kind == "cursor" for line in picture for span in line) == (height > 0)
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
