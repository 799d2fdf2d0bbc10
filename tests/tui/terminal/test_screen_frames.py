"""Strips of Textual become cells: graphemes, their widths and their styles."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.strip import Strip

from tui.files.cast import Style
from tui.terminal.screen_frames import FrameReader

PLAIN = Style()


def cells_of(*segments: Segment) -> list[tuple[str, Style]]:
    [line] = FrameReader().read([Strip(segments)])
    return list(line)


def test_a_grapheme_is_one_cell_and_a_wide_one_has_an_empty_cell_after_it() -> None:
    cells = cells_of(Segment("aé漢👩\u200d🚀e\u0301."))
    assert [text for text, _ in cells] == ["a", "é", "漢", "", "👩\u200d🚀", "", "e\u0301", "."]


def test_colours_and_attributes_are_those_of_the_segment() -> None:
    style = RichStyle.parse("bold italic underline #010203 on #a0b0c0")
    assert cells_of(Segment("x", style), Segment("y")) == [
        ("x", Style("010203", "a0b0c0", is_bold=True, is_italic=True, is_underlined=True)),
        ("y", PLAIN),
    ]


def test_swapped_colours_are_recorded_as_they_are_drawn() -> None:
    assert cells_of(Segment("x", RichStyle.parse("reverse #010203 on #a0b0c0"))) == [("x", Style("a0b0c0", "010203"))]


def test_a_line_that_stays_the_same_is_the_same_object() -> None:
    reader = FrameReader()
    first = reader.read([Strip([Segment("a")]), Strip([Segment("b")])])
    second = reader.read([Strip([Segment("a")]), Strip([Segment("c")])])
    assert second[0] is first[0]
    assert second[1][0] == ("c", PLAIN)
