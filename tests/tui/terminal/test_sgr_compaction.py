"""Compacted output draws the same picture, as rendered by an independent terminal (pyte)."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.terminal.sgr_compaction import FRAME_END, FRAME_START, FrameBuffer, compacted

COLORS = ["38;2;1;2;3", "38;2;9;9;9", "48;2;1;2;3", "38;5;200", "48;5;17", "31", "42", "97", "104", "39", "49"]
PIECES = st.one_of(
    st.text("ab ●é", min_size=1, max_size=5),
    st.sampled_from(["\x1b[0m", "\x1b[m", "\n"]),
    st.lists(st.sampled_from([*COLORS, "1", "3", "4", "7", "0"]), min_size=1, max_size=4).map(
        lambda codes: "\x1b[" + ";".join(codes) + "m"
    ),
    st.tuples(st.integers(1, 5), st.integers(1, 12)).map(lambda at: f"\x1b[{at[0]};{at[1]}H"),
)


def picture(text: str) -> list[list[pyte.screens.Char]]:
    screen = pyte.Screen(12, 40)  # no text here is so long that it scrolls
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))  # like a terminal's line discipline
    return [[screen.buffer[y][x] for x in range(12)] for y in range(40)]


@given(st.lists(PIECES, max_size=20).map("".join))
def test_compacted_output_draws_the_same_picture_and_is_not_longer(text: str) -> None:
    text += "\x1b[0m"

    assert picture(compacted(text)) == picture(text)
    assert len(compacted(text)) <= len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31ma\x1b[0m\x1b[1;31mb\x1b[0m", "\x1b[1;31mab\x1b[0m"),
        ("\x1b[31;40ma\x1b[0m\x1b[32;40mb\x1b[0m", "\x1b[40;31ma\x1b[32mb\x1b[0m"),
        ("\x1b[3;4H\n\x1b[2;2Hx", "\x1b[2;2Hx"),
    ],
)
def test_active_attributes_are_not_sent_again(text: str, expected: str) -> None:
    assert compacted(text) == expected


def test_a_frame_is_sent_as_a_whole() -> None:
    frames = FrameBuffer()
    assert [frames.add(piece) for piece in (FRAME_START, "\x1b[31ma\x1b[0m", "\x1b[31mb\x1b[0m", FRAME_END)] == [
        "",
        "",
        "",
        f"{FRAME_START}\x1b[31mab\x1b[0m{FRAME_END}",
    ]


def test_a_frame_that_only_repeats_the_cursor_position_is_dropped() -> None:
    frames = FrameBuffer()
    bodies = ("a\x1b[1;1H", "\x1b[1;1H", "\x1b[2;1H", "b\x1b[2;1H")
    sent = ["".join(map(frames.add, (FRAME_START, body, FRAME_END))) for body in bodies]

    assert [bool(text) for text in sent] == [True, False, True, True]


def test_output_outside_a_frame_is_sent_at_once() -> None:
    assert FrameBuffer().add("\x1b[?25l") == "\x1b[?25l"
