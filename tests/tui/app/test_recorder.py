"""Casts that replay as the screens."""

from __future__ import annotations

import json

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.strip import Strip

from tests.recording import frame_of
from tui.app.recorder import Frame, FrameReader, Style, TimedFrame, to_cast

COLUMNS, ROWS = 12, 3
SLOT_SECONDS = 0.3
STYLES = ("\x1b[0m", "\x1b[1m", "\x1b[3;4m", "\x1b[7m", "\x1b[38;2;1;2;255m", "\x1b[48;2;9;9;9m", "\x1b[1;38;2;7;7;7m")
WRITES = st.tuples(
    st.sampled_from(STYLES),
    st.integers(1, ROWS),
    st.integers(1, COLUMNS - 2),
    st.sampled_from(["a", "b c", "🌻", "─", " "]),
).map(lambda each: f"\x1b[{each[1]};{each[2]}H{each[0]}{each[3]}")


def screen_after(*written: str) -> Frame:
    """Return the screen after some output."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    for text in written:
        stream.feed(text)
    return frame_of(screen)


@given(st.lists(st.lists(WRITES, max_size=4), min_size=1, max_size=6))
def test_a_cast_replays_as_the_recorded_screens_and_leaves_a_cursor_below_them(outputs: list[list[str]]) -> None:
    written: list[str] = []
    frames = []
    for number, output in enumerate(outputs):
        written += output
        frames.append(TimedFrame(SLOT_SECONDS * number, screen_after(*written)))
    header, *events = [json.loads(line) for line in to_cast(frames, "a title").splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, COLUMNS, ROWS)
    by_time = {seconds: text for seconds, kind, text in events if kind == "o"}
    replayed: list[str] = []
    for each in frames:
        replayed.append(by_time.get(round(each.seconds, 2), ""))
        assert screen_after(*replayed) == each.frame
    taller = pyte.Screen(COLUMNS, ROWS + 2)
    pyte.Stream(taller).feed("".join(replayed))
    cursor = taller.cursor
    assert (cursor.hidden, cursor.y, cursor.x, cursor.attrs) == (False, ROWS, 0, taller.default_char)


def test_a_grapheme_is_one_cell_with_the_style_as_drawn_a_wide_one_two_and_an_equal_line_the_same_object() -> None:
    styled = RichStyle.parse("bold italic underline #010203 on #a0b0c0")
    swapped = RichStyle.parse("reverse #010203 on #a0b0c0")
    strip = Strip([Segment("é漢👩\u200d🚀e\u0301"), Segment("x", styled), Segment("y", swapped)])
    reader = FrameReader()
    line, _ = first = reader.read([strip, Strip([Segment("b")])])
    assert list(line) == [
        *((text, Style()) for text in ("é", "漢", "", "👩\u200d🚀", "", "e\u0301")),
        ("x", Style("010203", "a0b0c0", is_bold=True, is_italic=True, is_underlined=True)),
        ("y", Style("a0b0c0", "010203")),
    ]
    second = reader.read([strip, Strip([Segment("c")])])
    assert second[0] is first[0]
    assert second[1][0] == ("c", Style())
