"""View 2: the gates along the text as a heat map, with the numbers of the cursor's column."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol.events import TextTraced
from engine.text import defused
from tests.fakes import text_traced
from tests.strategies import hostile_text
from tui.xray import gates_view
from tui.xray.gates_view import GateName
from tui.xray.glyphs import ASCII, UNICODE, Glyphs
from tui.xray.layout import line_width
from tui.xray.spans import plain

TEXT = "good morning"


def lines_of(
    event: TextTraced,
    cursor: int,
    width: int,
    height: int,
    glyphs: Glyphs = UNICODE,
    gate: GateName | None = None,
) -> list[str]:
    picture = gates_view.render(event, cursor, width=width, height=height, glyphs=glyphs, gate=gate)
    return plain(picture).split("\n")


def with_gates(cursor: int, **figures: float) -> TextTraced:
    """Return a trace in which the gates differ at the cursor."""
    event = text_traced(TEXT)
    gates = list(event.gates)
    gates[cursor] = replace(gates[cursor], **figures)
    return replace(event, gates=tuple(gates))


def test_40_columns_show_one_gate_with_the_cursor_below_its_column() -> None:
    assert lines_of(text_traced(TEXT), 3, 40, 8) == [
        "update gate z: 1 keeps the state, 0 rep…",
        "z ▁▃▆█▁▃▆█▁▃▆█▁",
        "  ▃▆█▁▃▆█▁▃▆█▁▃",
        "  ▇▅▂▅▇▅▂▅▇▅▂▅▇",
        "  ▸good morning",
        "     ▲",
        "z 0.70  r 0.50  rewritten 5.0 %",
        "copied 15 %  saturated 20 %  change 0.30",
    ]


@pytest.mark.parametrize(("gate", "letter"), [("update", "z"), ("reset", "r"), ("candidate", "n")])
def test_the_chosen_gate_is_shown_alone(gate: GateName, letter: str) -> None:
    for width, height in ((40, 8), (120, 30)):
        shown = lines_of(text_traced(TEXT), 3, width, height, gate=gate)
        above_text = shown[1 : next(number for number, line in enumerate(shown) if "▸" in line)]
        assert "".join(line[0] for line in above_text).split() == [letter]


def test_80_columns_show_all_three_above_one_text() -> None:
    shown = lines_of(text_traced(TEXT), 3, 80, 14)
    assert [line[0] for line in shown] == [*"z  r  n  ", " ", " ", "m", "s"]
    assert shown[9:11] == ["  ▸good morning", "     ▲"]
    assert shown[11:] == [
        "mean z 0.70  mean r 0.50  rewritten (z < 0.1) 5.0 %  copied (z > 0.9) 15 %",
        "saturated r and z 20 %  state changed 0.30",
    ]


def test_120_columns_show_the_averages_beside() -> None:
    shown = lines_of(with_gates(3, update_mean=0.05, rewritten_share=0.9), 3, 120, 20)
    beside = [line[86:] for line in shown[:8]]
    assert beside[:4] == [
        "reading ‘o’",
        "                      here average",
        "mean z                0.05    0.65",
        "mean r                0.50    0.50",
    ]
    assert beside[4] == "rewritten (z < 0.1)   90 %    12 %"


def test_a_long_text_scrolls_with_the_cursor_and_shows_that_it_goes_on() -> None:
    text = "abcdefghijklmnopqrstuvwxyz" * 4
    chars, mark = lines_of(text_traced(text), 50, 40, 8)[-4:-2]
    assert (chars[0], chars[-1], len(chars)) == ("…", "…", 40)
    assert chars[mark.index("▲")] == text[49]
    first, last = (lines_of(text_traced(text), cursor, 40, 8)[-4] for cursor in (0, len(text)))
    assert (first[:3], first[-1]) == ("  ▸", "…")
    assert (last[0], last[-1]) == ("…", "z")


def test_a_wide_character_has_a_column_of_its_width() -> None:
    shown = lines_of(text_traced("a漢b"), 3, 40, 8)
    assert shown[1:6] == ["z ▁▃▆▆█", "  ▃▆██▁", "  ▇▅▂▂▅", "  ▸a漢b", "      ▲"]


def test_the_candidate_is_scaled_by_its_largest_band_in_both_directions() -> None:
    event = replace(text_traced("ab"), candidate_bands=((0.0, 0.2), (-0.1, 0.1), (-0.2, 0.0)))
    shown = lines_of(event, 1, 40, 9, gate="candidate")
    assert shown[:3] == ["candidate n: what replaces the state, -…", "n ▅▃▁", "  █▇▅"]
    assert lines_of(event, 1, 80, 9, gate="candidate")[0].endswith("-0.20 to 0.20")


def test_the_sentence_compares_with_the_average_of_the_text() -> None:
    sentence = gates_view.sentence(with_gates(5, rewritten_share=0.41), 5, UNICODE)
    assert sentence == "Reading a space rewrote 41 % of the units (z < 0.1), 5.3 times the average of this text"
    assert gates_view.sentence(text_traced(TEXT), 0, ASCII) == (
        "Reading <BOS> rewrote 5.0 % of the units (z < 0.1), about the average of this text"
    )
    hardly = with_gates(1, rewritten_share=0.001)
    assert "0.1 % of the units (z < 0.1), against an average of 4." in gates_view.sentence(hardly, 1, UNICODE)
    assert "(z < 0.1), twice the average" in gates_view.sentence(with_gates(1, rewritten_share=0.11), 1, UNICODE)
    assert "(z < 0.1), half the average" in gates_view.sentence(with_gates(1, rewritten_share=0.025), 1, UNICODE)


def test_the_sentence_of_a_column_that_rewrote_nothing_names_what_it_kept() -> None:
    kept = with_gates(5, rewritten_share=0.0, copied_share=0.15)
    assert gates_view.sentence(kept, 5, UNICODE) == (
        "Reading a space rewrote no unit and copied 15 % (z > 0.9), about the average of this text"
    )
    mixed = with_gates(5, rewritten_share=0.0, copied_share=0.0)
    assert gates_view.sentence(mixed, 5, UNICODE) == (
        "Reading a space mixed old and new in every unit: mean z 0.70, 0.70 on average"
    )


def test_the_change_of_the_state_is_the_shade_of_an_input() -> None:
    shades = gates_view.shades(with_gates(2, hidden_change=0.6), 2)
    assert shades.values[:4] == (0.0, 0.0, 1.0, 0.0)
    assert (shades.low, shades.high) == ("0.30", "0.60")
    assert len(shades.values) == len(TEXT) + 2
    assert shades.values[-1] is None
    still = replace(text_traced(""), gates=(replace(text_traced("").gates[0], hidden_change=0.0),))
    assert gates_view.shades(still, 0).values == (0.0, None)


@pytest.mark.parametrize(("width", "height"), [(40, 4), (40, 12), (80, 24), (120, 40)])
def test_ascii_draws_ascii_only(width: int, height: int) -> None:
    for gate in (None, *get_args(GateName)):
        assert "\n".join(lines_of(text_traced(TEXT), 3, width, height, ASCII, gate)).isascii()
    assert gates_view.sentence(text_traced(TEXT), 3, ASCII).isascii()


def test_every_shade_has_the_glyph_of_its_value() -> None:
    for gate in get_args(GateName):
        picture = gates_view.render(text_traced(TEXT), 3, width=80, height=24, glyphs=UNICODE, gate=gate)
        shaded = [span for line in picture for span in line if span.shade is not None]
        low = -1.0 if gate == "candidate" else 0.0
        assert len(shaded) >= 4 * (len(TEXT) + 1)
        assert all(span.text == UNICODE.level(span.shade, low) for span in shaded if span.shade is not None)


@given(
    hostile_text().map(defused),
    st.integers(8, 130),
    st.integers(0, 30),
    st.sampled_from([None, *get_args(GateName)]),
    st.data(),
)
def test_no_line_is_wider_and_no_picture_higher_than_asked(
    text: str, width: int, height: int, gate: GateName | None, data: st.DataObject
) -> None:
    event, cursor = text_traced(text), data.draw(st.integers(0, len(text)))
    picture = gates_view.render(event, cursor, width=width, height=height, glyphs=UNICODE, gate=gate)
    assert len(picture) <= height
    assert all(line_width(line) <= width for line in picture)
    assert gates_view.sentence(event, cursor, UNICODE)
