"""Casts that replay as the screens."""

from __future__ import annotations

import json

import pyte
from hypothesis import given
from hypothesis import strategies as st

from tui.app.recorder import to_cast

COLUMNS, ROWS = 12, 3
SLOT_SECONDS = 0.3
STYLES = ("\x1b[0m", "\x1b[1m", "\x1b[3;4m", "\x1b[7m", "\x1b[38;2;1;2;255m", "\x1b[48;2;9;9;9m", "\x1b[1;38;2;7;7;7m")
WRITES = st.tuples(
    st.sampled_from(STYLES),
    st.integers(1, ROWS),
    st.integers(1, COLUMNS - 2),
    st.sampled_from(["a", "b c", "🌻", "─", " "]),
).map(lambda each: f"\x1b[{each[1]};{each[2]}H{each[0]}{each[3]}")


def cells_of(screen: pyte.Screen) -> list[list[pyte.screens.Char]]:
    return [[screen.buffer[y][x] for x in range(COLUMNS)] for y in range(ROWS)]


@given(st.lists(st.lists(WRITES, max_size=4), min_size=1, max_size=6))
def test_a_cast_draws_what_was_recorded_and_leaves_a_cursor_below_it(written: list[list[str]]) -> None:
    outputs = [(SLOT_SECONDS * number, "".join(each)) for number, each in enumerate(written)]
    header, *events = [json.loads(line) for line in to_cast(outputs, (COLUMNS, ROWS), "a title").splitlines()]
    assert (header["version"], header["width"], header["height"]) == (2, COLUMNS, ROWS)
    played, recorded = pyte.Screen(COLUMNS, ROWS + 2), pyte.Screen(COLUMNS, ROWS + 2)
    pyte.Stream(played).feed("".join(text for _, _, text in events))
    pyte.Stream(recorded).feed("".join(text for _, text in outputs))
    assert cells_of(played) == cells_of(recorded)
    assert {round(seconds, 2) for seconds, text in outputs if text} <= {seconds for seconds, _, _ in events}
    cursor = played.cursor
    assert (cursor.hidden, cursor.y, cursor.x, cursor.attrs) == (False, ROWS, 0, played.default_char)
