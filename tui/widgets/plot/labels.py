"""What the plot writes beside its curves: lines across with their labels, marks, the heading, and the legend. Pure.

Each line across is exact to the dot. Of labels that would share a row, one is moved by a row; a baseline's is dropped
where that would place it beside the line of another value or the number of a tick.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, pairwise, product
from operator import attrgetter, itemgetter

import numpy as np

from engine.text import sanitize_line
from tui.run.marks import Baseline, Mark
from tui.text.cells import cell_len, shortened, wrap
from tui.text.numbers import LossUnit, format_duration, format_learning_rate, format_loss, unit_label
from tui.widgets.plot.axes import LossAxis
from tui.widgets.plot.cells import MARKS, CellGrid, StyleName
from tui.widgets.plot.pane import Pane

ACROSS: tuple[StyleName, ...] = ("grid", "level", "best_line")
"""The styles of lines across a pane, over which everything else is drawn."""
_WIDE_LABEL, _NARROW_LABEL = "{} uniform ↑", "{} ↑"
_CELLS_FOR_NAMES = 56
"""In narrower panes, labels are without names."""
_CELLS_FOR_LABELS = 30
_OTHER_COST = 1.0
"""Cost of moving a label into the row of a tick or another line, in rows between a label and its value."""
_GRID_SPACING, _BEATEN_SPACING, _BASELINE_SPACING, _BEST_SPACING = 4, 4, 2, 1
"""A line is drawn in every so many cells."""
_BURST_CELLS = 12
"""A burst of marks has at most as many columns: marks all along the axis are several."""
_MAX_COUNT = 9
_WIDE_PANE_CELLS = 40
_MAX_NAME_CELLS = 24
_MAX_MARK_CELLS = 40
_SYMBOL_CELLS = 4

Entry = list[tuple[str, StyleName]]
"""Pieces of text in styles."""


def nats_of(baseline: Baseline) -> float:
    """Return the loss of a baseline in nats per character."""
    return baseline.bits_per_char * math.log(2)


def gutter_cells(width: int, unit: LossUnit, baselines: Sequence[Baseline]) -> int:
    """Return how many columns the labels have in a pane of a width; a large vocabulary has a wide uniform baseline."""
    if width < _CELLS_FOR_LABELS:
        return 0
    label = _WIDE_LABEL if width >= _CELLS_FOR_NAMES else _NARROW_LABEL
    return 1 + len(label.format(format_loss(max((1.0, *map(nats_of, baselines))), unit)))


def draw_lines(cells: CellGrid, pane: Pane) -> None:
    """Draw the grid, and over it the baselines and the best validation that are in view; a row has one line."""
    glyphs, view, best = pane.options.glyphs, pane.view, pane.view.best
    baseline_rows = {baseline: pane.row_of(nats_of(baseline)) for baseline in pane.baselines}
    best_row = None if best is None else pane.row_of(best.val_loss)
    for tick_row in pane.axis.tick_rows:
        if tick_row not in {*baseline_rows.values(), best_row}:
            cells.fill(slice(pane.left, pane.right, _GRID_SPACING), tick_row + 1, glyphs.grid, "grid")
    lines: list[tuple[float, int, StyleName]] = [
        (nats_of(baseline), _BEATEN_SPACING if view.is_beaten(baseline) else _BASELINE_SPACING, "level")
        for baseline, row in baseline_rows.items()
        if row != best_row  # two lines in a row would merge into a zigzag
    ]
    if best is not None:
        lines.append((best.val_loss, _BEST_SPACING, "best_line"))
    for nats, spacing, style in lines:
        if (row := pane.row_of(nats)) is not None:
            char = glyphs.level[min(int((pane.place_of(nats) - row) * len(glyphs.level)), len(glyphs.level) - 1)]
            cells.fill(slice(pane.left, pane.right, spacing), row + 1, char, style)


@dataclass(frozen=True)
class _Label:
    """A label of a loss."""

    nats: float
    text: str
    style: StyleName
    place: float
    """The height of the loss, in rows from the top."""
    row: int


def draw_labels(cells: CellGrid, pane: Pane) -> None:
    """Write the labels of the lines into the gutter of a pane."""
    if pane.gutter:
        for label in _placed(list(_labels(pane)), pane.axis):
            cells.write(pane.right + 1, label.row + 1, label.text[: pane.gutter - 1], label.style)


def _labels(pane: Pane) -> Iterator[_Label]:
    """Yield the labels, each in the row of its value; of baselines out of view, the nearest on either side."""
    glyphs, view, baselines = pane.options.glyphs, pane.view, pane.baselines
    is_wide = pane.gutter >= gutter_cells(_CELLS_FOR_NAMES, pane.options.unit, baselines)

    def label(nats: float, name: str, sign: str, style: StyleName) -> _Label:
        text = " ".join(filter(None, (format_loss(nats, pane.options.unit), name if is_wide else "", sign)))
        place = min(max(pane.place_of(nats), 0.0), float(pane.height))
        return _Label(nats, text, style, place, min(int(place), pane.height - 1))

    outside = [baseline for baseline in baselines if pane.row_of(nats_of(baseline)) is None]
    above = [baseline for baseline in outside if pane.place_of(nats_of(baseline)) < 0]
    below = [baseline for baseline in outside if baseline not in above]
    nearest = min(above, key=nats_of, default=None), max(below, key=nats_of, default=None)
    for baseline in baselines:
        sign = glyphs.beaten if view.is_beaten(baseline) else ""
        if baseline in outside:
            sign = glyphs.up if baseline in above else glyphs.down
        if baseline not in outside or baseline in nearest:
            yield label(nats_of(baseline), baseline.name, sign, "level_label")
    if view.best is not None and pane.row_of(view.best.val_loss) is not None:
        yield label(view.best.val_loss, "best", glyphs.best, "best")
    if view.smoothed_loss is not None and pane.column_of(view.train_losses.last_step) is not None:
        yield label(view.smoothed_loss, "train", "", "line")


def _placed(labels: Sequence[_Label], axis: LossAxis) -> list[_Label]:
    """Return the labels in rows of their own, at most one row from their values.

    Train loss and best validation have a label always; a baseline, only where they leave it a row.
    """
    others = {*axis.tick_rows, *(label.row for label in labels)}

    def cost(label: _Label) -> float:
        is_on_other = label.row in others and label.row != int(label.place)
        return abs(label.row + 0.5 - label.place) + (_OTHER_COST if is_on_other else 0.0)

    always = sorted((label for label in labels if label.style != "level_label"), key=lambda label: -label.nats)
    options = [option for option in product(*(_moved(label, axis) for label in always)) if _is_in_order(option)]
    placed = list(min(options, key=lambda option: sum(map(cost, option))))
    for baseline in (label for label in reversed(labels) if label.style == "level_label"):  # the lowest first
        for moved in _moved(baseline, axis):
            extended = sorted([*placed, moved], key=lambda label: -label.nats)
            is_near = abs(moved.row + 0.5 - moved.place) <= 1 and moved.row not in others
            if _is_in_order(extended) and (moved is baseline or is_near):
                placed = extended
                break
    return placed


def _moved(label: _Label, axis: LossAxis) -> list[_Label]:
    """Return the label in its own row, and in the adjacent row that is nearer to its value."""
    step = 1 if label.place >= label.row + 0.5 else -1
    row = label.row + step if 0 <= label.row + step < axis.num_rows else label.row - step
    return [label, replace(label, row=row)]


def _is_in_order(labels: Sequence[_Label]) -> bool:
    return all(above.row < below.row for above, below in pairwise(labels))


def bursts(pane: Pane) -> list[tuple[range, list[Mark]]]:
    """Return the marks in view with the columns of their burst, marks in neighbouring columns, from left to right.

    The marks of a burst are sorted by importance, then by their order.
    """
    in_view = [(column, mark) for mark in pane.marks if (column := pane.column_of(mark.step)) is not None]
    found: list[tuple[range, list[Mark]]] = []
    for column, mark in sorted(in_view, key=itemgetter(0)):
        columns, marks = found[-1] if found else (range(-1), [])
        if column in columns or (column == columns.stop and len(columns) < _BURST_CELLS):
            found[-1] = range(columns.start, column + 1), marks
        else:
            marks = []
            found.append((range(column, column + 1), marks))
        marks.append(mark)
    ranks = list(MARKS)
    return [(columns, sorted(marks, key=lambda mark: ranks.index(mark.kind))) for columns, marks in found]


def is_stack(columns: range, marks: Sequence[Mark]) -> bool:
    """Return whether a burst has several marks in a single column."""
    return len(columns) == 1 and len(marks) > 1


def _letters(columns: range, marks: Sequence[Mark], num_rows: int) -> list[str]:
    """Return the letters of a burst, in one row; those of one column in `num_rows`, 1 or 2.

    Two marks have both letters; more, the most important letter and their number; in one cell, their number.
    """
    count = str(len(marks)) if len(marks) <= _MAX_COUNT else "+"
    letters = [MARKS[mark.kind][0] for mark in marks]
    shown = "".join(letters if len(letters) <= 2 else (letters[0], count))
    if not is_stack(columns, marks):
        return [shown]
    return [count] if num_rows == 1 else list(shown)


def draw_marks(cells: CellGrid, pane: Pane, *, num_rows: int) -> None:
    """Write the letters of bursts onto the x axis, where each begins; those of one column into `num_rows`."""
    for columns, marks in bursts(pane):
        for row, text in enumerate(_letters(columns, marks, num_rows), pane.height + 1):
            cells.write(pane.left + columns.start, row, text, "mark")


def write_marks(cells: CellGrid, pane: Pane, step: int) -> None:
    """Write the marks of the burst at a step below the heading, in as many rows as they need."""
    column = pane.column_of(step)
    text = "; ".join(_by_kind(next((marks for columns, marks in bursts(pane) if column in columns), [])))
    room, num_rows = pane.width - 2, max(pane.height // 2, 1)
    spans = wrap(text, room) if text else ()
    for row, (start, end) in enumerate(spans[:num_rows], start=1):
        is_cut = row == num_rows < len(spans)
        cells.write(pane.left, row, f" {shortened(text[start:], room) if is_cut else text[start:end]} ", "mark")


def _by_kind(marks: Sequence[Mark]) -> Iterator[str]:
    """Yield the marks of each kind as one text: "learning rate 0.002, 0.004", "paused 3x"."""
    for kind, those in groupby(marks, attrgetter("kind")):
        texts: list[str] = []
        for label, same in groupby(mark.label for mark in those):
            text = shortened(sanitize_line(label), _MAX_MARK_CELLS)
            count = len(list(same))
            texts.append((text.removeprefix(f"{kind} ") if texts else text) + (f" {count}x" if count > 1 else ""))
        yield ", ".join(texts)


def entry(label: str, label_style: StyleName = "tick", symbol: str = "", style: StyleName = "tick") -> Entry:
    """Return an entry of the heading: a label and possibly a symbol before it."""
    marked: Entry = [(symbol, style), (" ", "tick")] if symbol else []
    return [(" ", "tick"), *marked, (f"{label} ", label_style)]


def write_entries(cells: CellGrid, left: int, right: int, entries: Iterable[Entry]) -> None:
    """Write entries, the most important first, into the heading from `left` to `right`, exclusive, while they fit."""
    for entry in entries:
        if left + sum(cell_len(text) for text, _ in entry) > right:
            break
        for text, style in entry:
            left = cells.write(left, 0, text, style)
        left += 1


def heading(pane: Pane, title: str, *, is_focused: bool) -> Iterator[Entry]:
    """Yield the unit, the steps in view, and what has no label beside its line."""
    glyphs, unit, overlay = pane.options.glyphs, pane.options.unit, pane.options.overlay
    name = f"{unit} per character" if pane.width >= _WIDE_PANE_CELLS else unit_label(unit)
    yield entry(name + (", log" if pane.options.is_log else ""), "focus" if is_focused else "heading")
    if title:
        yield entry(title, "window")
    if overlay is not None:
        yield entry(shortened(sanitize_line(overlay.run), _MAX_NAME_CELLS), "tick", glyphs.overlay_sample, "overlay")
    if pane.peak is not None:
        yield entry(f"peak {format_loss(pane.peak, unit)}", "tick", glyphs.peak, "peak")
    if is_focused:
        yield entry("arrows: cursor, zoom", "window")


def readout(pane: Pane, step: int) -> Iterator[Entry]:
    """Yield the values at a step: those of its column, and the nearest evaluation and learning rate."""
    glyphs, view, overlay = pane.options.glyphs, pane.view, pane.options.overlay
    train, dots = pane.train, pane.dots_of(step)
    loss_text = partial(format_loss, unit=pane.options.unit)
    is_in_gap = len(train.is_gap[dots]) > 0 and train.is_gap[dots].all()
    is_own = step >= view.train_losses.first_step and not is_in_gap  # before it, a branch shows its parent
    seconds = view.seconds.near(step) if is_own else None
    yield entry(f"step {step:,}" + (f" at {format_duration(seconds)}" if seconds is not None else ""), "readout")
    if count := int(train.count[dots].sum()):
        mean = float(np.nansum(train.mean[dots] * train.count[dots]) / count)
        yield entry(f"train {loss_text(mean)}" + (f" over {count:,} steps" if count > 1 else ""), "readout")
        if count > 1:
            low, high = float(np.nanmin(train.low[dots])), float(np.nanmax(train.high[dots]))
            yield entry(f"{loss_text(low)} to {loss_text(high)}", "readout", glyphs.band_sample, "band")
    if view.val_points:
        nearest = min(view.val_points, key=lambda point: abs(point.step - step))
        at = "" if nearest.step == step else f" at {nearest.step:,}"
        yield entry(f"{loss_text(nearest.val_loss)}{at}", "readout", glyphs.validation, "validation")
    if is_own and (rate := view.learning_rates.near(step)) is not None:
        yield entry(f"lr {format_learning_rate(rate)}", "readout")
    if overlay is not None and overlay.train_losses.first_step <= step <= overlay.train_losses.last_step:
        name = shortened(sanitize_line(overlay.run), _MAX_NAME_CELLS)
        loss = loss_text(overlay.train_losses.near(step) or 0.0)
        yield entry(f"{name} {loss}", "readout", glyphs.overlay_sample, "overlay")


def meanings(panes: Sequence[Pane], *, num_mark_rows: int) -> Iterator[tuple[str, StyleName, str]]:
    """Yield symbol, style and meaning of what is drawn; the letters of marks are in `num_mark_rows`."""
    view, options, glyphs = panes[0].view, panes[0].options, panes[0].options.glyphs
    loss_text = partial(format_loss, unit=options.unit)
    yield glyphs.line_sample, "line", "train loss, smoothed"
    yield glyphs.band_sample, "band", "train losses of single steps"
    if options.overlay is not None:
        yield glyphs.overlay_sample, "overlay", f"train loss of {sanitize_line(options.overlay.run)}"
    if peaks := [pane.peak for pane in panes if pane.peak is not None]:
        yield glyphs.peak, "peak", f"steps above the plot, up to {loss_text(max(peaks))}"
    if view.val_points:
        yield glyphs.validation, "validation", "validation: held-out tweets"
    if (best := view.best) is not None:
        yield glyphs.best, "best", f"best: {loss_text(best.val_loss)} at step {best.step:,}"
    for baseline in panes[0].baselines:
        state = "to beat"
        if baseline.crossed_at is not None:
            state = f"beaten at {baseline.crossed_at:,}" + ("" if view.is_beaten(baseline) else ", to beat again")
        sample = " ".join(2 * glyphs.level[len(glyphs.level) // 2])
        yield sample, "level_label", f"{loss_text(nats_of(baseline))} {baseline.name}, {state}: {baseline.meaning}"
    in_view = (mark for mark in panes[0].marks if any(pane.column_of(mark.step) is not None for pane in panes))
    counts = Counter(mark.kind for mark in in_view)
    for kind, (letter, meaning) in MARKS.items():
        if count := counts[kind]:
            yield letter, "mark", meaning + ("" if count == 1 else f", {count:,}x")
    letters = (text for pane in panes for burst in bursts(pane) for text in _letters(*burst, num_mark_rows))
    if not all(map(str.isalpha, letters)):
        yield "2-9", "mark", f"number of marks close together; +: more than {_MAX_COUNT}"


def draw_legend(cells: CellGrid, panes: Sequence[Pane], page: int, *, num_mark_rows: int) -> int:
    """Draw a page of the legend over the first pane, below the heading; return the number of pages.

    In as many columns as there is room for.
    """
    found, left = list(meanings(panes, num_mark_rows=num_mark_rows)), panes[0].left
    num_rows, room = cells.height - 2, cells.width - left
    needed = _SYMBOL_CELLS + max(cell_len(meaning) for *_, meaning in found) + 2
    num_columns = max(min(room // needed, math.ceil(len(found) / num_rows)), 1)
    per_page = num_rows * num_columns
    num_pages = math.ceil(len(found) / per_page)
    page = min(page, num_pages - 1)  # the plot may have had more pages before it was resized
    shown = found[page * per_page : (page + 1) * per_page]
    num_rows = math.ceil(len(shown) / num_columns)
    width = min(needed, room)
    covered = width * num_columns if left + width * num_columns <= panes[0].right else room
    cells.fill(slice(left, left + covered), slice(1, num_rows + 2), " ", "text")
    for number, (symbol, style, meaning) in enumerate(shown):
        column, row = divmod(number, num_rows)
        x = left + 1 + column * width
        cells.write(x, 1 + row, symbol, style)
        cells.write(x + _SYMBOL_CELLS, 1 + row, shortened(meaning, width - _SYMBOL_CELLS - 2), "readout")
    more = f"again: page {page + 2} of {num_pages}, " if page + 1 < num_pages else ""
    cells.write(left + 1, 1 + num_rows, shortened(f"{more}esc: close", covered - 2), "tick")
    return num_pages
