"""The loss plot as text, without an app: curves, points, marks, panes, cursor, reference lines and legend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from tests.fakes import checkpoint_loaded, eval_finished, run_started, steps_finished
from tui.run.fold import fold
from tui.run.marks import Baseline, Mark, MarkKind
from tui.run.new_run import OverlayCurve
from tui.run.series import Series
from tui.run.view import RunView
from tui.widgets.plot.axes import Limits, LossAxis
from tui.widgets.plot.cells import MARKS, STYLE_NAMES, CellGrid
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.picture import Picture
from tui.widgets.plot.viewport import Viewport


def falling_losses(num_steps: int, spike_at: int | None = None) -> list[float]:
    steps = np.arange(num_steps)
    noise = np.random.default_rng(0).standard_normal(num_steps)
    losses = (1.7 + 2.9 * np.exp(-steps / 100)) * (1 + 0.04 * noise)
    if spike_at is not None:
        losses[spike_at - 1] = 9.87
    return list(losses.tolist())


def view_of(losses: list[float], *val_bits: float) -> RunView:
    reports = (steps_finished(first + 1, losses[first : first + 50]) for first in range(0, len(losses), 50))
    evaluations = (
        eval_finished(index * len(losses) // len(val_bits), bits, is_best=bits == min(val_bits[:index]))
        for index, bits in enumerate(val_bits, 1)
    )
    return fold(RunView(), [run_started(), *reports, *evaluations])


def text_of(cells: CellGrid) -> list[str]:
    """Return the rows without their styles."""
    return ["".join(text for text, _ in cells.segments(y)) for y in range(cells.height)]


def is_braille(char: str) -> bool:
    return 0x2801 <= ord(char) <= 0x28FF


PLAIN = PlotOptions()
WHOLE, BOTH, RECENT = Viewport(), Viewport(is_wide=True), Viewport(mode="recent")
BITS = {"uniform": 7.6, "unigram": 4.4, "bigram": 3.4, "6-gram": 2.3}
BASE = view_of(falling_losses(1200), 3.0, 2.6, 2.8)
LONG = view_of(falling_losses(5000), 2.8, 2.6, 2.7)


def marked(view: RunView, *marks: tuple[int, MarkKind]) -> RunView:
    return replace(view, marks=tuple(Mark(step=step, kind=kind, label=f"{kind} at {step}") for step, kind in marks))


def with_levels(view: RunView = BASE, num_beaten: int = 2, bits: Mapping[str, float] = BITS) -> RunView:
    """Return a view with levels, of which the first are beaten."""
    levels = [
        Baseline(name=name, bits_per_char=value, crossed_at=400 if number < num_beaten else None)
        for number, (name, value) in enumerate(bits.items())
    ]
    return replace(view, baselines=tuple(levels))


def of_run(shown: Viewport, view: RunView, options: PlotOptions = PLAIN) -> Viewport:
    """Return the viewport of a run; with an overlay it begins where that does."""
    train, overlay = view.train_losses, options.overlay
    first_step = min(train.first_step, overlay.train_losses.first_step) if overlay else train.first_step
    return replace(shown, run=Limits(first_step, train.last_step))


@dataclass(frozen=True, kw_only=True)
class Case:
    view: RunView = field(default_factory=lambda: LONG)
    shown: Viewport = WHOLE
    options: PlotOptions = PLAIN
    size: tuple[int, int] = (100, 12)
    has_legend: bool = False

    @property
    def viewport(self) -> Viewport:
        return of_run(self.shown, self.view, self.options)

    def draw(self) -> tuple[CellGrid, Picture]:
        picture = Picture()
        picture.draw(self.view, self.viewport, self.options, *self.size)
        return picture.with_labels(self.viewport, is_focused=False), picture

    def pages(self) -> list[list[str]]:
        """Return the rows of the picture, or of each page of its legend."""
        cells, picture = self.draw()
        if not self.has_legend:
            return [text_of(cells)]
        picture.with_labels(self.viewport, is_focused=False, legend_page=0)
        pages = range(picture.num_legend_pages)
        return [text_of(picture.with_labels(self.viewport, is_focused=False, legend_page=page)) for page in pages]


Marks = tuple[tuple[int, MarkKind], ...]
KINDS: Marks = tuple((300 * number, kind) for number, kind in enumerate(MARKS, 1))
PLACED: Marks = ((700, "saved"), (1500, "temperature"), (1501, "learning rate"), (1502, "saved"))
BURST: Marks = (
    (1000, "batch size"),
    *((step, "learning rate") for step in range(1050, 1300, 50)),
    *((1300, "batch size"), (1350, "temperature")),
)
HUNDREDS: Marks = (*((step, "temperature") for step in range(1, 3000, 5)), (1500, "learning rate"))
WITH_A_GAP = fold(
    view_of(falling_losses(512), *[4 - 0.05 * number for number in range(20)]),
    [checkpoint_loaded(661, "calm"), steps_finished(662, falling_losses(340)), eval_finished(1000, 3.0)],
)
FULL = with_levels(marked(view_of(falling_losses(3000, spike_at=2000), 2.8, 2.6), *KINDS))
HIGH = with_levels(num_beaten=0, bits={"uniform": 11.7, "unigram": 4.4})
WIDE_LABEL = replace(LONG, marks=(Mark(step=2500, kind="saved", label="日本" * 10),))
MANY_EVALUATIONS = view_of(falling_losses(3000), *[4 - 0.02 * number for number in range(60)])
CASES = {
    "60x6": Case(view=FULL, size=(60, 6)),
    "many evaluations": Case(view=MANY_EVALUATIONS),
    "a gap, as a later step was loaded": Case(view=WITH_A_GAP, shown=Viewport(cursor=600)),
    "a gap, in the curve of many evaluations and in an overlay": Case(
        view=WITH_A_GAP, options=PlotOptions(overlay=OverlayCurve("itself", WITH_A_GAP.train_losses)), size=(60, 12)
    ),
    "marks, two in a column": Case(view=marked(LONG, *PLACED[:3])),
    "marks, three in a column": Case(view=marked(LONG, *PLACED)),
    "marks, in eight columns side by side": Case(view=marked(LONG, *BURST)),
    "marks, two in a column of a low plot": Case(view=marked(LONG, *PLACED[:3]), size=(100, 9)),
    "marks, hundreds": Case(view=marked(LONG, *HUNDREDS), size=(100, 9)),
    "cursor, in both panes": Case(view=FULL, shown=replace(BOTH, cursor=2900), size=(120, 12)),
    "cursor, in the whole run only": Case(view=FULL, shown=replace(BOTH, cursor=1000), size=(120, 12)),
    "cursor, with its marks": Case(view=marked(LONG, *PLACED), shown=Viewport(cursor=1500)),
    "cursor, with its marks in two rows": Case(view=marked(LONG, *PLACED), shown=Viewport(cursor=1500), size=(60, 12)),
    "cursor, in the middle of eight marks": Case(view=marked(LONG, *BURST), shown=Viewport(cursor=1200)),
    "cursor, wide characters": Case(view=WIDE_LABEL, shown=Viewport(cursor=2500), size=(61, 9)),
    "levels, in the row of the best": Case(view=with_levels(num_beaten=3, bits={**BITS, "6-gram": 2.55})),
    "levels, above ten bits": Case(view=HIGH),
    "levels, above ten bits, 40 columns": Case(view=HIGH, size=(40, 9)),
    "ascii": Case(view=FULL, shown=replace(BOTH, cursor=2900), options=PlotOptions(glyph_set="ascii"), size=(120, 20)),
    "block, many evaluations": Case(view=MANY_EVALUATIONS, options=PlotOptions(glyph_set="block")),
    "ascii, many evaluations": Case(view=MANY_EVALUATIONS, options=PlotOptions(glyph_set="ascii")),
    "legend, 40x9": Case(view=FULL, size=(40, 9), has_legend=True),
    "legend, 40x6": Case(view=FULL, size=(40, 6), has_legend=True),
    "legend, a level to beat again": Case(
        view=with_levels(num_beaten=4, bits={**BITS, "6-gram": 2.7}), size=(100, 25), has_legend=True
    ),
    "legend, of few things": Case(view=marked(LONG, (600, "paused")), has_legend=True),
    "legend, wide characters": Case(view=WIDE_LABEL, shown=Viewport(cursor=2500), size=(61, 12), has_legend=True),
    "legend, block": Case(view=FULL, options=PlotOptions(glyph_set="block"), size=(100, 25), has_legend=True),
    "legend, ascii": Case(view=FULL, options=PlotOptions(glyph_set="ascii"), size=(100, 25), has_legend=True),
}


@pytest.mark.parametrize("name", CASES)
def test_the_plot_and_its_legend_are_drawn_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    case = CASES[name]
    pages = case.pages()
    text = "\n".join("\n".join(row.rstrip() for row in rows) for rows in pages)
    assert {cell_len(row) for rows in pages for row in rows} == {case.size[0]}
    assert case.options.glyph_set != "ascii" or text.isascii()
    assert case.options.glyph_set == "braille" or not any(map(is_braille, text))
    assert not (case.has_legend and case.view is FULL) or all(MARKS[kind][1] in text for _, kind in KINDS)
    assert text == snapshot


def test_in_ascii_the_curve_of_another_run_is_drawn_as_in_the_legend() -> None:
    options = PlotOptions(glyph_set="ascii", overlay=OverlayCurve("other", view_of([2.0] * 5000).train_losses))
    cells, _ = Case(options=options).draw()
    drawn = cells.chars[1:][cells.styles[1:] == STYLE_NAMES.index("overlay")]
    assert set(map(chr, drawn)) == set(options.glyphs.overlay_sample) - {" "}


def test_a_page_of_the_legend_that_no_longer_exists_after_a_resize_is_replaced_by_the_last_one() -> None:
    picture = Picture()
    whole = of_run(WHOLE, FULL)
    picture.draw(FULL, whole, PLAIN, 150, 33)
    cells = picture.with_labels(whole, is_focused=False, legend_page=2)
    assert picture.num_legend_pages == 1
    assert text_of(cells) == text_of(picture.with_labels(whole, is_focused=False, legend_page=0))


def test_numbers_are_explained_where_marks_are_counted_and_only_there() -> None:
    same_step: Marks = ((1500, "saved"), (1500, "paused"), (1500, "temperature"))
    counted = {
        (num, height): any("2-9" in "\n".join(page) for page in case.pages())
        for num in (2, 3)
        for height in (9, 25)
        for case in [Case(view=marked(LONG, *same_step[:num]), size=(100, height), has_legend=True)]
    }
    assert counted == {(2, 9): True, (2, 25): False, (3, 9): True, (3, 25): True}


def long_series(num_steps: int, spike_at: int) -> Series:
    """Return a flat, noisy curve with one spike."""
    series, noise = Series.empty(), np.random.default_rng(1)
    for first in range(1, num_steps + 1, 100_000):
        values = 2.0 + 0.05 * noise.standard_normal(100_000)
        if first <= spike_at < first + 100_000:
            values[spike_at - first] = 2.9
        series = series.extended(first, values.tolist())
    return series


def test_a_single_spike_among_a_million_steps_is_visible_but_not_in_the_smoothed_curve() -> None:
    num_steps, spike_at = 1_000_000, 600_000
    cells, picture = Case(view=RunView(train_losses=long_series(num_steps, spike_at))).draw()
    pane = picture.panes["whole"]
    below_heading = np.argwhere(cells.styles[1:] == STYLE_NAMES.index("peak"))
    assert below_heading.tolist() == [[0, pane.left + (pane.column_of(spike_at) or 0)]]
    assert "▲ peak 4.18" in text_of(cells)[0]
    smoothed = pane.train.smoothed()
    assert np.nanmax(smoothed) - np.nanmin(smoothed) < 0.01


def test_the_recent_part_shows_single_steps_when_zoomed_in() -> None:
    losses = falling_losses(5000)
    _, picture = Case(
        view=view_of(losses), shown=replace(RECENT, run=Limits(1, 5000)).zoomed(0.1), size=(116, 20)
    ).draw()
    pane = picture.panes["recent"]
    assert pane.train.count.max() == 1
    assert pane.train.low[pane.train.count > 0].tolist() == losses[int(pane.steps.low) - 1 :]


def test_at_every_height_labels_are_evenly_spaced_on_grid_lines() -> None:
    for height in range(6, 49):
        options = PlotOptions(is_log=height % 2 == 1, glyph_set=("braille", "block", "ascii")[height % 3])
        cells, picture = Case(view=BASE, options=options, size=(90, height)).draw()
        (pane,) = picture.panes.values()
        labelled = [y for y, row in enumerate(text_of(cells)[1 : pane.height + 1]) if row[: pane.left].strip()]
        assert labelled == [row for row, _ in pane.axis.ticks]
        grid = {int(row) - 1 for row in np.nonzero(cells.styles == STYLE_NAMES.index("grid"))[0]}
        assert grid <= set(labelled)
        assert len(grid) >= len(labelled) - 1  # one row may have the level of the best validation


def test_while_the_loss_falls_the_y_axis_hardly_moves_and_no_loss_is_a_peak() -> None:
    losses = falling_losses(3000)
    picture, axes = Picture(), list[LossAxis]()
    for end in (*range(1, 100), *range(100, 3001, 50)):
        view = view_of(losses[:end])
        picture.draw(view, of_run(WHOLE, view), PLAIN, 82, 20)
        axes.append(picture.panes["whole"].axis)
        assert picture.panes["whole"].peak is None
    num_moves = [sum(axis != before for before, axis in pairwise(each)) for each in (axes[:99], axes)]
    assert num_moves[0] <= 1  # the first losses may be higher than the very first
    assert num_moves[1] <= 8


@given(
    st.lists(st.floats(0.5, 9), min_size=4, max_size=4),
    st.integers(0, 4),
    st.sampled_from([(40, 9), (60, 6), (80, 12), (120, 30)]),
)
def test_labels_of_lines_never_share_a_row_and_best_and_current_loss_are_always_labelled(
    bits: list[float], num_beaten: int, size: tuple[int, int]
) -> None:
    levels = dict(zip(BITS, sorted(bits, reverse=True), strict=True))
    cells, picture = Case(view=with_levels(num_beaten=num_beaten, bits=levels), size=size).draw()
    (pane,) = picture.panes.values()
    texts = [row[pane.right :].strip() for row in text_of(cells)[1 : pane.height + 1]]
    shown = [text.split()[0] for text in texts if text]
    assert shown == sorted(shown, key=float, reverse=True)
    always = (2.6, BASE.smoothed_bits or 0.0)
    assert {f"{value:.2f}" for value in always} <= set(shown)
    lines = [(f"{value:.2f}", pane.row_of(value * np.log(2))) for value in (*always, *bits)]
    others = {*pane.axis.tick_rows, *(line for _, line in lines)}
    for row, text in enumerate(texts):
        if text and not text.endswith(("↑", "↓")):
            own = [line for value, line in lines if value == text.split()[0] and line is not None]
            assert any(abs(row - line) <= 1 for line in own), text
            assert row in own or row not in others or text.split()[0] in {f"{value:.2f}" for value in always}, text


@pytest.mark.parametrize(
    ("levels", "shown"),
    [
        ({"bigram": 4.5}, ["bigram"]),
        ({"bigram": 2.5}, []),  # far below
        ({"bigram": 4.5, "6-gram": 2.5}, ["bigram"]),  # the next one to beat
    ],
)
def test_the_next_level_below_the_curve_is_in_view_unless_it_is_far(levels: dict[str, float], shown: list[str]) -> None:
    view = with_levels(view_of(np.linspace(5.0, 4.0, 1200).tolist()), num_beaten=0, bits=levels)
    _, picture = Case(view=view, size=(100, 22)).draw()
    (pane,) = picture.panes.values()
    assert [name for name, bits in levels.items() if pane.row_of(bits * np.log(2)) is not None] == shown
