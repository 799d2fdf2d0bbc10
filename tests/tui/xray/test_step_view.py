"""View 1: what went in, what came out and what it cost; and where the model's own draws part from the text."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.vocab import UNK, UNKNOWN_CHAR_BITS
from engine.protocol.events import CharChance, CharRead, TextTraced
from engine.protocol.events.insight import OwnDraw
from engine.text import defused
from tests.fakes import chars_read, text_traced
from tests.strategies import hostile_text
from tui.xray import step_view
from tui.xray.glyphs import ASCII, UNICODE, Glyphs
from tui.xray.layout import line_width
from tui.xray.own_draw import parting
from tui.xray.spans import plain

SIZES = [(40, 4), (40, 12), (80, 24), (120, 40)]
CHANCES = tuple(CharChance(char=char, probability=0.5 / 2**rank) for rank, char in enumerate("i aeostn"))


def traced(text: str = "sing it", own_from: int | None = None) -> TextTraced:
    """Return a trace with eight most probable characters everywhere, the true one first if it is "i"."""
    event = text_traced(text, own_from)
    return replace(event, chars=tuple(replace(read, likeliest=CHANCES) for read in event.chars))


def lines_of(event: TextTraced, cursor: int, width: int, height: int, glyphs: Glyphs = UNICODE) -> list[str]:
    return plain(step_view.render(event, cursor, width=width, height=height, glyphs=glyphs)).split("\n")


def own_draw(text: str, first: int, *, reached_eos: bool = True) -> OwnDraw:
    return OwnDraw(first=first, text=text, reached_eos=reached_eos, chars=chars_read(text), hidden_bands=())


def test_80_columns_show_everything_with_the_bars_beside() -> None:
    assert lines_of(traced(), 1, 80, 16) == [
        "read   s    id 11, 2 of 8                ▸ i   ██████████████                50%",
        "embed  ▆▇█▅                                ␣   ███████                       25%",
        "before ▆▇█▅                                a   ███▌                          12%",
        "after  ▇█▅▆                                e   █▊                           6.2%",
        "change 0.30 (root mean square)             o   ▉                            3.1%",
        "next   i    2.00 bits (25 %)               s   ▌                            1.6%",
        "mean   2.00 bits so far                    t   ▎                            0.8%",
        "one at a time 2.0000, at once 2.0000       n   ▏                            0.4%",
        "bits; they differ by less than 0.00001",
        "embedding of 8 numbers, -1.00 to 1.00;",
        "state of 16 units, -0.50 to 0.50; each",
        "glyph is a mean of neighbours",
    ]


@pytest.mark.parametrize(
    ("losses", "line"),
    [
        ((2.206402, 2.206403), "one at a time 2.2064, at once 2.2064 bits; they differ by less than 0.00001"),
        ((2.206449, 2.206451), "one at a time 2.206, at once 2.206 bits; they differ by less than 0.00001"),
        ((2.5, 2.500123), "one at a time 2.500000, at once 2.500123 bits; they differ by 0.000123"),
    ],
)
def test_the_check_shows_the_difference_that_its_digits_show(losses: tuple[float, float], line: str) -> None:
    event = replace(traced(), stepwise_loss=losses[0] * log(2), sequence_loss=losses[1] * log(2))
    shown = " ".join(lines_of(event, 1, 40, 24))
    assert line in shown


def test_40_columns_show_the_most_important_lines_first() -> None:
    assert lines_of(traced(), 1, 40, 9) == [
        "read   s    id 11, 2 of 8",
        "embed  ▆▇█▅",
        "before ▆▇█▅",
        "after  ▇█▅▆",
        "next   i    2.00 bits (25 %)",
        "▸ i   ██████████████▌                50%",
        "  ␣   ███████▎                       25%",
        "  a   ███▋                           12%",
        "mean   2.00 bits so far",
    ]
    assert lines_of(traced(), 1, 40, 4) == [
        "next   i    2.00 bits (25 %)",
        "▸ i   ██████████████▌                50%",
        "  ␣   ███████▎                       25%",
        "  a   ███▋                           12%",
    ]
    assert lines_of(traced(), 1, 40, 1) == ["next   i    2.00 bits (25 %)"]


def test_a_high_screen_shows_the_hidden_state_along_the_text_below() -> None:
    assert lines_of(traced(), 1, 80, 20)[12:] == [
        "",
        "hidden state after each input, -0.50 to 0.50",
        "h ▆▇█▅▆▇█▅",
        "  ▇█▅▆▇█▅▆",
        "  █▅▆▇█▅▆▇",
        "  ▅▆▇█▅▆▇█",
        "  ▸sing it",
        "   ▲",
    ]
    assert len(lines_of(traced(), 1, 80, 18)) == 12


def test_all_eight_bars_are_shown_where_there_is_room() -> None:
    assert sum("%" in line and "bits" not in line for line in lines_of(traced(), 1, 40, 24)) == 8


def test_a_true_character_that_is_none_of_the_likeliest_takes_the_last_row() -> None:
    event = replace(traced(), chars=(CharRead(char="g", bits=6.0, likeliest=CHANCES),) * 8)
    rows = lines_of(event, 1, 40, 4)[1:]
    assert [row[:5].rstrip() for row in rows] == ["  i", "  ␣", "▸ g"]
    assert rows[-1].endswith("1.6%")


def test_bos_is_the_first_input_and_the_end_the_last_target() -> None:
    assert lines_of(traced(), 0, 80, 16)[0].startswith("read   <BOS>  id 1, 1 of 8")
    assert lines_of(traced(), 7, 80, 16)[5].startswith("next   end  2.00 bits (25 %)")


def test_the_running_mean_ends_as_the_loss_of_the_text() -> None:
    bits = (1.0, 2.0, 6.0)
    event = text_traced("ab")
    event = replace(
        event,
        chars=tuple(replace(read, bits=cost) for read, cost in zip(event.chars, bits, strict=True)),
        stepwise_loss=3 * log(2),
    )
    means = [next(line for line in lines_of(event, cursor, 40, 24) if line.startswith("mean ")) for cursor in range(3)]
    assert means == [
        "mean   1.00 bits so far",
        "mean   1.50 bits so far",
        "mean   3.00 bits",
    ]
    assert event.stepwise_loss == pytest.approx(2.079, abs=0.001)


def test_an_unknown_character_counts_in_the_mean_as_in_the_loss() -> None:
    event = text_traced("aß")
    chars = (event.chars[0], replace(event.chars[1], bits=4.0 + UNKNOWN_CHAR_BITS), event.chars[2])
    event = replace(event, chars=chars, token_ids=(1, 4, UNK))
    shown = lines_of(event, 1, 40, 24)
    assert "next   ß (unknown)  4.00 bits (6.2 %)" in shown
    assert "mean   3.00 bits so far" in shown
    assert step_view.sentence(event, 1, UNICODE) == (
        "After ‘a’ comes ‘ß’, which is not in the vocabulary; nothing was more probable"
    )


def test_the_sentence_reads_the_prediction() -> None:
    assert step_view.sentence(traced(), 1, UNICODE) == (
        "After ‘s’ the model gave ‘i’ 25 %: 2.0 bits; nothing was more probable"
    )
    assert step_view.sentence(traced(), 3, ASCII) == (
        "After 'n' the model gave 'g' 25 %: 2.0 bits; it had expected 'i' (50 %)"
    )
    assert step_view.sentence(traced(), 0, UNICODE).startswith("At the start the model gave ‘s’")
    assert step_view.sentence(traced(), 5, UNICODE).startswith("After a space the model gave ‘i’")
    assert "gave the end 25 %" in step_view.sentence(traced(), 7, UNICODE)


def test_the_character_costs_are_the_shades() -> None:
    event = replace(traced("ab"), chars=tuple(replace(read, bits=12.0) for read in chars_read("ab")))
    assert step_view.shades(event, 0).values == (None, 1.0, 1.0, 1.0)
    assert step_view.shades(traced("ab"), 0).values == (None, 0.25, 0.25, 0.25)


def test_both_runs_are_aligned_and_their_parting_is_marked() -> None:
    assert lines_of(traced(own_from=3), 2, 80, 16)[:4] == [
        "fed the text   ▸sing it■",
        "fed its draws  ▸sinown■",
        "                 ▲ ≠",
        "read   i    id 37, 3 of 8       fed the text             fed its draws",
    ]


def test_both_predictions_stand_side_by_side_in_40_columns() -> None:
    shown = lines_of(traced(own_from=3), 3, 40, 12)
    assert shown[:3] == ["text ▸sing it■", "own  ▸sinown■", "        ▲≠"]
    assert "fed the text         fed its draws" in shown
    assert "  i   ████      50%  ▸ o   ████      50%" in shown


def test_both_predictions_fit_below_the_texts_in_five_lines_of_40_columns() -> None:
    assert lines_of(traced(own_from=3), 3, 40, 5) == [
        "text ▸sing it■",
        "own  ▸sinown■",
        "        ▲≠",
        "text   i   █▌   50%  own  ▸ o   █▌   50%",
        "     ▸ g   ▊    25%         end ▊    25%",
    ]


def test_the_own_text_may_have_ended_before_the_cursor() -> None:
    event = replace(traced("a long text", own_from=0), own=own_draw("a", 0))
    assert any("its text has ended" in line for line in lines_of(event, 8, 40, 12))


@pytest.mark.parametrize(
    ("text", "own", "target"),
    [
        ("abc", own_draw("abc", 1), None),
        ("abc", own_draw("axc", 1), 1),
        ("abc", own_draw("ab", 1), 2),
        ("abc", own_draw("abcd", 1), 3),
        ("abc", own_draw("ab", 1, reached_eos=False), None),
        ("abc", own_draw("abcd", 1, reached_eos=False), 3),
    ],
)
def test_the_runs_part_at_the_first_target_that_differs(text: str, own: OwnDraw, target: int | None) -> None:
    assert parting(text, own) == target


def test_the_sentence_begins_with_what_was_drawn_in_place_of_the_text() -> None:
    event = replace(traced("abc"), own=own_draw("axc", 1))
    assert step_view.sentence(event, 0, UNICODE) == (
        "The runs part after character 1: the text has ‘b’, the model drew ‘x’. "
        "At the start the model gave ‘a’ 25 %: 2.0 bits; it had expected ‘i’ (50 %)"
    )
    event = replace(traced("abc"), own=own_draw("ab", 1))
    assert "the text has ‘c’, the model drew the end. At" in step_view.sentence(event, 0, UNICODE)
    event = replace(traced("abc"), own=own_draw("x", 0))
    assert step_view.sentence(event, 0, UNICODE).startswith("The runs part at the start: the text has ‘a’")
    event = replace(traced("abc"), own=own_draw("abc", 1))
    assert step_view.sentence(event, 0, UNICODE).startswith("Its own draws are the text. At")


@pytest.mark.parametrize("own_from", [None, 3])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_ascii_draws_ascii_only(width: int, height: int, own_from: int | None) -> None:
    for cursor in range(8):
        assert "\n".join(lines_of(traced(own_from=own_from), cursor, width, height, ASCII)).isascii()
        assert step_view.sentence(traced(own_from=own_from), cursor, ASCII).isascii()


@pytest.mark.parametrize("own_from", [None, 3])
def test_every_shade_has_the_glyph_of_its_value(own_from: int | None) -> None:
    picture = step_view.render(traced(own_from=own_from), 3, width=80, height=24, glyphs=UNICODE)
    shaded = [span for line in picture for span in line if span.shade is not None]
    assert len(shaded) >= 12
    assert all(span.text == UNICODE.level(span.shade, low=-1.0) for span in shaded if span.shade is not None)


@given(hostile_text().map(defused), st.integers(8, 130), st.integers(0, 30), st.booleans(), st.data())
def test_no_line_is_wider_and_no_picture_higher_than_asked(
    text: str, width: int, height: int, has_own: bool, data: st.DataObject
) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    event = text_traced(text, own_from=data.draw(st.integers(0, len(text))) if has_own else None)
    picture = step_view.render(event, cursor, width=width, height=height, glyphs=UNICODE)
    assert len(picture) <= height
    assert all(line_width(line) <= width for line in picture)
    assert step_view.sentence(event, cursor, UNICODE)
