"""The batch as a grid: every token in its column, padding dark, shapes and shares in numbers."""

from __future__ import annotations

import pytest

from engine.model.vocab import UNK
from engine.protocol.events import BatchRow, BatchShown
from engine.session import batch_service
from tests import hostile
from tests.fakes import batch_shown
from tui.xray import batch_view
from tui.xray.glyphs import ASCII, UNICODE, Glyphs
from tui.xray.layout import line_width
from tui.xray.spans import plain

TWO = batch_shown(("good morning", "hi"))


def lines_of(shown: BatchShown, width: int = 80, height: int = 12, **scroll: int) -> list[str]:
    return plain(batch_view.render(shown, width=width, height=height, glyphs=UNICODE, **scroll)).split("\n")


def test_the_grid_shows_bos_characters_eos_and_padding_below_the_shapes() -> None:
    assert lines_of(TWO, width=120)[:4] == [
        "inputs (B 2, T 13), targets (2, 13), logits (2, 13, 40): B tweets, T time steps, 36 characters + 4 special",
        "    0         10",
        "▸ 1 ▸good morning■",
        "  2 ▸hi■··········",
    ]


def test_padding_is_darker_than_characters_and_has_a_glyph_of_its_own() -> None:
    short = batch_view.render(TWO, width=80, height=12, glyphs=UNICODE)[3]
    assert [(span.text, span.shade) for span in short[1:]] == [
        ("▸", batch_view.CHAR_SHADE),
        ("hi", batch_view.CHAR_SHADE),
        ("■", batch_view.CHAR_SHADE),
        ("·" * 10, None),
    ]


def test_the_grid_has_one_column_more_than_inputs_and_targets() -> None:
    cells = batch_view.row_cells(TWO.rows[1], TWO.num_columns, UNICODE)
    assert len(cells) == TWO.num_columns + 1


def test_an_unknown_character_is_marked() -> None:
    row = BatchRow(text="a寿b", token_ids=(1, 4, UNK, 5))
    assert [span.text for span in batch_view.row_cells(row, 4, UNICODE)] == ["▸", "a", "�", "b", "■"]
    assert batch_view.row_cells(row, 4, UNICODE)[2].kind == "problem"


def test_a_tweet_that_is_longer_than_its_row_has_no_end() -> None:
    row = BatchRow(text="x" * batch_view.MAX_ROW_CHARS, token_ids=(1, *[4] * batch_view.MAX_ROW_CHARS))
    cells = batch_view.row_cells(row, 400, UNICODE)
    assert len(cells) == 401
    assert {span.text for span in cells[301:]} == {"…"}
    assert batch_view.row_cells(row, 301, UNICODE)[-1].text == "■"


def test_a_row_is_cut_where_the_session_cuts_it() -> None:
    assert batch_view.MAX_ROW_CHARS == batch_service.MAX_CHARS


def test_the_selected_tweet_has_its_ids_below_its_characters() -> None:
    ids = lines_of(TWO, selected=1)[4:6]
    assert ids == ["tweet 2   ▸  h  i  ■", "ids       1 36 37  2"]


def test_scrolling_shows_later_rows_and_columns() -> None:
    shown = batch_shown(f"tweet number {number}" for number in range(40))
    lines = lines_of(shown, first_row=30, first_column=6, selected=31)
    assert lines[1] == "        10"
    assert lines[2] == " 31  number 30■"
    assert lines[3] == "▸32  number 31■"
    assert lines[-3].startswith("tweet 32      n  u  m")
    assert lines_of(shown, first_column=1000)[2] == "▸ 1"


def test_a_wide_character_has_a_sign_of_one_cell_in_the_grid_and_is_whole_above_its_id() -> None:
    lines = lines_of(batch_shown(("a漢b", "abc")))
    assert lines[2:4] == ["▸ 1 ▸a◇b■", "  2 ▸abc■"]
    assert lines[4] == "tweet 1   ▸  a 漢  b  ■"


def test_the_share_of_padding_is_counted_over_the_targets() -> None:
    assert batch_view.padding_share(TWO) == pytest.approx(10 / 26)
    assert lines_of(TWO)[-1] == "padding: 38 % of this batch; over an epoch 4.0 % sorted by length, 46 % shuffled"
    assert lines_of(TWO, 76)[-1] == "padding: 38 % here; over an epoch 4.0 % sorted, 46 % shuffled"
    assert batch_view.sentence(TWO) == (
        "38 % of this batch is padding; over an epoch it is 4.0 %, "
        "and it would be 46 % if tweets of any length shared a batch"
    )


@pytest.mark.parametrize(("width", "height"), [(120, 40), (40, 8), (20, 4), (1, 1)])
def test_the_grid_fits_its_size(width: int, height: int) -> None:
    shown = batch_shown((f"tweet number {number}" * 4 for number in range(64)), num_tweets=100)
    for glyphs in (UNICODE, ASCII):
        picture = batch_view.render(shown, width=width, height=height, glyphs=glyphs, first_row=2, selected=3)
        assert len(picture) <= height
        assert max(map(line_width, picture)) <= width


def test_a_high_screen_has_no_empty_lines() -> None:
    assert len(lines_of(TWO, height=40)) == 7


def test_hostile_tweets_are_shown_harmless() -> None:
    shown = batch_shown((hostile.ALL_AT_ONCE, "a\u0301\u200d\x1b[31m"))
    for line in lines_of(shown, width=300):
        assert hostile.obeyed(line) == []


def test_a_row_with_fewer_characters_than_ids_is_filled_up() -> None:
    cells = batch_view.row_cells(BatchRow(text="ab", token_ids=(1, 5, 6, 7)), 5, UNICODE)
    assert [span.text for span in cells] == ["▸", "a", "b", "�", "■", "·"]


def test_help_is_five_lines() -> None:
    assert len(batch_view.HELP) == 5


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_explanation_names_every_glyph_of_the_grid(glyphs: Glyphs) -> None:
    last = batch_view.explanation(glyphs)[-1]
    assert f"{glyphs.bos} is <BOS>, {glyphs.eos} <EOS>, {glyphs.padding} padding; {glyphs.wide} stands for" in last


@pytest.mark.parametrize("width", [40, 76, 100])
def test_rows_of_the_grid_are_drawn_in_the_lines_that_are_named(width: int) -> None:
    tall = batch_shown(("good morning",) * 20)
    for height in (8, 12, 30):
        lines, grid = lines_of(tall, width, height), batch_view.grid_lines(tall, width, height)
        drawn = [y for y, line in enumerate(lines) if "▸good morning■" in line]
        assert drawn == list(grid)[:20]


def test_the_last_first_column_leaves_no_column_out_at_the_right_also_with_wide_characters() -> None:
    wide = batch_shown(("🥳" * 30, "x" * 40))
    for width in (20, 40, 60):
        first = batch_view.last_first_column(wide, width)
        rows = lines_of(wide, width, first_column=first)
        assert any(row.endswith("x■") for row in rows)
        assert not any(row.endswith("x■") for row in lines_of(wide, width, first_column=first - 1))
