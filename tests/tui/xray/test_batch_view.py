"""The batch as a grid: every token in its column, padding dark, shapes and shares in numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.model.vocab import UNK
from engine.protocol.events import BatchRow, BatchShown
from engine.session import batch_service
from tests.fakes import batch_shown
from tui.xray import batch_view
from tui.xray.glyphs import ASCII, UNICODE, Glyphs
from tui.xray.spans import plain

render = partial(batch_view.render, glyphs=UNICODE)
TWO = batch_shown(("good morning", "hi"))
MANY = batch_shown((f"tweet number {number} " + "x" * number for number in range(40)), num_tweets=100)
LONGEST = "x" * batch_view.MAX_ROW_CHARS
CUT = batch_shown((LONGEST, LONGEST + "x" * 9))
WIDE, LACKING = "a漢b", "fewer characters than ids"
UNUSUAL = replace(
    batch_shown((WIDE, "a寿b", LACKING + "xxx")),
    rows=(
        BatchRow(text=WIDE, token_ids=(1, 4, 14, 5)),
        BatchRow(text="a寿b", token_ids=(1, 4, UNK, 5)),
        BatchRow(text=LACKING, token_ids=(1, *[4] * 28)),
    ),
)


@pytest.mark.parametrize(
    ("shown", "size", "options"),
    [
        pytest.param(TWO, (120, 12), {}, id="120x12: <BOS>, characters, <EOS>, padding; ids of the first"),
        pytest.param(TWO, (80, 40), {"selected": 1}, id="80x40: no empty lines; ids of the second"),
        pytest.param(TWO, (76, 12), {}, id="76x12: fewer words"),
        pytest.param(TWO, (40, 8), {}, id="40x8"),
        pytest.param(TWO, (80, 12), {"glyphs": ASCII}, id="80x12 in ASCII"),
        pytest.param(MANY, (80, 12), {"first_row": 30, "first_column": 6, "selected": 31}, id="80x12: scrolled"),
        pytest.param(MANY, (80, 6), {"first_column": 1000}, id="80x6: beyond the last column"),
        pytest.param(CUT, (80, 9), {"first_column": 260}, id="80x9: a tweet cut at the limit"),
        pytest.param(UNUSUAL, (80, 12), {}, id="80x12: wide, unknown and missing characters"),
    ],
)
def test_a_batch_is_drawn_as_recorded(
    shown: BatchShown, size: tuple[int, int], options: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    assert plain(render(shown, width=size[0], height=size[1], **options)) == snapshot


def test_a_row_is_cut_where_the_session_cuts_it_and_padding_is_darker_than_characters() -> None:
    assert batch_view.MAX_ROW_CHARS == batch_service.MAX_CHARS
    _, *spans = render(TWO, width=80, height=12)[3]
    assert [(span.text, span.shade) for span in spans] == [
        *((text, batch_view.CHAR_SHADE) for text in ("▸", "hi", "■")),
        ("·" * 10, None),
    ]


@pytest.mark.parametrize("width", [40, 76, 100])
def test_rows_of_the_grid_are_drawn_in_the_lines_that_are_named(width: int) -> None:
    tall = batch_shown(("good morning",) * 20)
    for height in (8, 12, 30):
        lines = plain(render(tall, width=width, height=height)).split("\n")
        drawn = [y for y, line in enumerate(lines) if "▸good morning■" in line]
        assert drawn == list(batch_view.grid_lines(tall, width, height))[:20]


@pytest.mark.parametrize("width", [20, 40, 60])
def test_the_last_first_column_leaves_no_column_out_at_the_right_also_with_wide_characters(width: int) -> None:
    wide = batch_shown(("🥳" * 30, "x" * 40))
    first = batch_view.last_first_column(wide, width)
    ends = ["x■" in plain(render(wide, width=width, height=12, first_column=first - n)) for n in (0, 1)]
    assert ends == [True, False]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_explanation_names_every_glyph_of_the_grid(glyphs: Glyphs, snapshot: SnapshotAssertion) -> None:
    assert "\n".join(batch_view.explanation(glyphs)) == snapshot
