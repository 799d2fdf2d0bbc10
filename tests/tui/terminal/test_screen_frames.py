"""Strips of Textual become cells: graphemes, their widths and their styles."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.strip import Strip

from tui.files.cast import Style
from tui.terminal.screen_frames import FrameReader


def test_a_grapheme_is_one_cell_with_the_style_as_drawn_and_a_wide_one_has_an_empty_cell_after_it() -> None:
    styled = RichStyle.parse("bold italic underline #010203 on #a0b0c0")
    swapped = RichStyle.parse("reverse #010203 on #a0b0c0")
    segments = (Segment("é漢👩\u200d🚀e\u0301"), Segment("x", styled), Segment("y", swapped))
    [line] = FrameReader().read([Strip(segments)])
    assert list(line) == [
        *((text, Style()) for text in ("é", "漢", "", "👩\u200d🚀", "", "e\u0301")),
        ("x", Style("010203", "a0b0c0", is_bold=True, is_italic=True, is_underlined=True)),
        ("y", Style("a0b0c0", "010203")),
    ]


def test_a_line_that_stays_the_same_is_the_same_object() -> None:
    reader = FrameReader()
    first = reader.read([Strip([Segment("a")]), Strip([Segment("b")])])
    second = reader.read([Strip([Segment("a")]), Strip([Segment("c")])])
    assert second[0] is first[0]
    assert second[1][0] == ("c", Style())
