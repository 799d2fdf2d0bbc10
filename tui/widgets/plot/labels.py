"""Lines across a pane and their labels in its gutter: levels, best validation, current loss.

Each line is exact to the dot. Of labels that would share a row, one is moved by a row; a level's is dropped where that
would place it beside the line of another value or the number of a tick.

The letters of marks on the x axis. A burst of marks is at most two characters.

The text in the plot's heading: unit and hints, or the values at the cursor. Pure.

Entries are in order of importance; those that don't fit whole are left out.

The legend of the plot, drawn over a part of it: what each line, point and letter in view means.

In as many columns as there is room for; what does not fit is on the next page.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, product
from operator import attrgetter

import numpy as np
from rich.cells import cell_len

from engine.text import sanitize_line
from tui.run.marks import Level, Mark, level_marks
from tui.run.new_run import OverlayCurve
from tui.run.view import RunView
from tui.text.cells import shortened, wrap
from tui.text.numbers import LossUnit, format_duration, format_learning_rate, format_loss, unit_label
from tui.widgets.plot.axes import LossAxis
from tui.widgets.plot.cells import MARK_LETTERS, MARK_MEANINGS, PLOT_GLYPHS, CellGrid, PlotGlyphs, StyleName
from tui.widgets.plot.pane import Pane, PaneSpace, PlotOptions

ACROSS: tuple[StyleName, ...] = ("grid", "level", "best_line")
"""The styles of lines across a pane, over which everything else is drawn."""
_WIDE_LABEL = "{} uniform ↑"
_NARROW_LABEL = "{} ↑"
_CELLS_FOR_NAMES = 56
"""In narrower panes, labels are without names."""
_CELLS_FOR_LABELS = 30
_OTHER_COST = 1.0
"""Of a label moved into the row of a tick or another line, in rows between a label and its value."""
_LEVEL_SPACING = 2
"""A level is drawn in every second cell, in every fourth while it is beaten; the best validation in every one."""
_BEATEN_SPACING = 4
_GRID_SPACING = 4


@dataclass(frozen=True)
class _Line:
    """A loss with a label."""

    nats: float
    name: str
    sign: str
    style: StyleName
    priority: int
    """The lowest is dropped first."""
    place: float
    """Of the loss, in rows from the top."""
    row: int
    """Of the label."""


def gutter_cells(width: int, unit: LossUnit, levels: Sequence[Level]) -> int:
    """Return how many columns the labels have in a pane of a width; the uniform level of a large vocabulary is wide."""
    if width < _CELLS_FOR_LABELS:
        return 0
    label = _WIDE_LABEL if width >= _CELLS_FOR_NAMES else _NARROW_LABEL
    return 1 + len(label.format(format_loss(max((1.0, *map(nats_of, levels))), unit)))


def shown_levels(view: RunView, options: PlotOptions) -> tuple[Level, ...]:
    """Return the levels to draw."""
    return view.levels if options.shows_levels else ()


def nats_of(level: Level) -> float:
    """Return the loss of a level in nats per character."""
    return level.bits_per_char * math.log(2)


def next_level(view: RunView, options: PlotOptions, nats: float) -> Level | None:
    """Return the highest level that is still below a loss: the one to beat."""
    below = [level for level in shown_levels(view, options) if not view.is_beaten(level) and nats_of(level) < nats]
    return max(below, key=nats_of, default=None)


def draw_lines(cells: CellGrid, pane: Pane, view: RunView, options: PlotOptions) -> None:
    """Draw the grid, and over it the levels and the best validation that are in view; a row has one line."""
    painter = _LinePainter(cells, pane, PLOT_GLYPHS[pane.glyphs])
    levels = {level: pane.row_of(nats_of(level)) for level in shown_levels(view, options)}
    best_row = None if view.best is None else pane.row_of(view.best.val_loss)
    for tick_row in pane.axis.tick_rows:
        if tick_row not in {*levels.values(), best_row}:
            painter.draw(tick_row, painter.glyphs.grid, _GRID_SPACING, "grid")
    for level, row in levels.items():
        if row != best_row:  # two lines in a row would merge into a zigzag
            painter.at(nats_of(level), _BEATEN_SPACING if view.is_beaten(level) else _LEVEL_SPACING, "level")
    if view.best is not None:
        painter.at(view.best.val_loss, 1, "best_line")


def draw_labels(cells: CellGrid, pane: Pane, view: RunView, options: PlotOptions) -> None:
    """Write the labels of the lines into the gutter of a pane."""
    if not pane.gutter:
        return
    is_wide = pane.gutter >= gutter_cells(_CELLS_FOR_NAMES, pane.scale.unit, shown_levels(view, options))
    for line in _placed(list(_lines(pane, view, options)), pane.axis):
        name = line.name if is_wide else ""
        text = " ".join(part for part in (format_loss(line.nats, pane.scale.unit), name, line.sign) if part)
        cells.write(pane.right + 1, line.row + 1, text[: pane.gutter - 1], line.style)


@dataclass(frozen=True)
class _LinePainter:
    """Draws horizontal lines."""

    cells: CellGrid
    pane: Pane
    glyphs: PlotGlyphs

    def at(self, nats: float, spacing: int, style: StyleName) -> None:
        """Draw a line at a loss, if it is in view, at the height of its dots."""
        row = self.pane.row_of(nats)
        if row is None:
            return
        place, chars = self.pane.place_of(nats) - row, self.glyphs.level
        self.draw(row, chars[min(int(place * len(chars)), len(chars) - 1)], spacing, style)

    def draw(self, row: int, char: str, spacing: int, style: StyleName) -> None:
        """Draw a character into each `spacing`th cell of a row."""
        self.cells.draw_row(slice(self.pane.left, self.pane.right, spacing), row + 1, char, style)


def _lines(pane: Pane, view: RunView, options: PlotOptions) -> Iterator[_Line]:
    """Yield the lines with labels, in the row of each value; of levels out of view, the nearest on either side."""
    glyphs = PLOT_GLYPHS[pane.glyphs]
    yield from _level_lines(pane, view, options)
    if view.best is not None and pane.row_of(view.best.val_loss) is not None:
        yield _line(pane, view.best.val_loss, "best", glyphs.best, "best", len(view.levels))
    if view.smoothed_loss is not None and pane.column_of(view.train_losses.last_step) is not None:
        yield _line(pane, view.smoothed_loss, "train", "", "line", len(view.levels) + 1)


def _level_lines(pane: Pane, view: RunView, options: PlotOptions) -> Iterator[_Line]:
    """Yield the levels in view, and the nearest above and below."""
    glyphs = PLOT_GLYPHS[pane.glyphs]
    above, below = [], []
    for priority, level in enumerate(shown_levels(view, options)):
        line = _line(pane, nats_of(level), level.name, "", "level_label", priority)
        if pane.row_of(line.nats) is not None:
            yield replace(line, sign=glyphs.beaten if view.is_beaten(level) else "")
        elif line.row == 0:
            above.append(replace(line, sign=glyphs.up))
        else:
            below.append(replace(line, sign=glyphs.down))
    if above:
        yield min(above, key=lambda line: line.nats)
    if below:
        yield max(below, key=lambda line: line.nats)


def _line(pane: Pane, nats: float, name: str, sign: str, style: StyleName, priority: int) -> _Line:
    """Return a line with its label in the row of its value, or in the nearest row."""
    place = min(max(pane.place_of(nats), 0.0), float(pane.height))
    return _Line(nats, name, sign, style, priority, place, min(int(place), pane.height - 1))


def _placed(lines: Sequence[_Line], axis: LossAxis) -> list[_Line]:
    """Return the lines with labels in rows of their own, at most one row from their values.

    Train loss and best validation have a label always; a level, only where they leave it a row.
    """
    always = sorted((line for line in lines if line.style != "level_label"), key=lambda line: -line.nats)
    others = {*axis.tick_rows, *(line.row for line in lines)}
    options = [option for option in product(*(_moved(line, axis) for line in always)) if _is_in_order(option)]
    placed = list(min(options, key=lambda option: sum(_cost(line, others) for line in option)))
    for level in sorted((line for line in lines if line.style == "level_label"), key=lambda line: -line.priority):
        for moved in _moved(level, axis):
            extended = sorted([*placed, moved], key=lambda line: -line.nats)
            if _is_in_order(extended) and (moved.row == level.row or _may_move_to(moved, others)):
                placed = extended
                break
    return placed


def _moved(line: _Line, axis: LossAxis) -> list[_Line]:
    """Return the line with its label in its own row, and in the adjacent row that is nearer to its value."""
    step = 1 if line.place >= line.row + 0.5 else -1
    row = line.row + step if 0 <= line.row + step < axis.num_rows else line.row - step
    return [line, replace(line, row=row)]


def _may_move_to(level: _Line, others: set[int]) -> bool:
    """Return whether a level's label is near enough to its value, and not beside a tick or another line."""
    return abs(level.row + 0.5 - level.place) <= 1 and level.row not in others


def _is_in_order(lines: Sequence[_Line]) -> bool:
    """Return whether each label is above the next."""
    return all(above.row < below.row for above, below in pairwise(lines))


def _cost(line: _Line, others: set[int]) -> float:
    """Return how far a label is from its value; `others` are the rows of ticks and lines."""
    is_on_other = line.row in others and line.row != int(line.place)
    return abs(line.row + 0.5 - line.place) + (_OTHER_COST if is_on_other else 0.0)


_MANY = "+"
_MAX_COUNT = 9


def marks_of(view: RunView, options: PlotOptions) -> tuple[Mark, ...]:
    """Return the marks of a run, with those of crossed levels if levels are shown."""
    return (*view.marks, *level_marks(shown_levels(view, options)))


def draw_marks(cells: CellGrid, space: PaneSpace, bursts: dict[range, list[Mark]], *, num_rows: int) -> None:
    """Write the letters of bursts onto the x axis, where each begins; those of one column into `num_rows`.

    Of two marks, both letters are shown; of more, the most important and their number; in one cell, their number.
    """
    y = space.height + 1
    for columns, marks in bursts.items():
        letters = [MARK_LETTERS[mark.kind] for mark in marks]
        count = str(len(letters)) if len(letters) <= _MAX_COUNT else _MANY
        shown = letters[0] + ("" if len(letters) == 1 else letters[1] if len(letters) == 2 else count)
        if is_stack(columns, marks):
            shown = count if num_rows == 1 else "\n".join(shown)
        for row, text in enumerate(shown.split("\n")):
            cells.write(space.left + columns.start, y + row, text, "mark")


def is_stack(columns: range, marks: Sequence[Mark]) -> bool:
    """Return whether a burst has several marks in a single column."""
    return len(columns) == 1 and len(marks) > 1


_WIDE_PANE_CELLS = 40
_MAX_NAME_CELLS = 24
_MAX_MARK_CELLS = 40


@dataclass(frozen=True)
class HeadingEntry:
    """A symbol in its style, possibly none, and a label."""

    label: str
    symbol: str = ""
    style: StyleName = "tick"
    label_style: StyleName = "tick"

    @property
    def num_cells(self) -> int:
        """Width including a space on either side."""
        return cell_len(self.label) + 2 + (cell_len(self.symbol) + 1 if self.symbol else 0)


FOCUS_HINT = HeadingEntry("arrows: cursor, zoom", label_style="window")


def draw_rule(cells: CellGrid, glyphs: PlotGlyphs, *, is_focused: bool) -> None:
    """Draw the line in which the heading is; it is heavy while the plot has the focus."""
    char = glyphs.focused if is_focused else glyphs.horizontal
    cells.draw_row(slice(None), 0, char, "focus" if is_focused else "axis")


def write_entries(cells: CellGrid, left: int, right: int, entries: Iterable[HeadingEntry]) -> None:
    """Write entries into the heading from `left` to `right`, exclusive, while they fit."""
    x = left
    for entry in entries:
        if x + entry.num_cells > right:
            break
        x = cells.write(x, 0, " ", "tick")
        if entry.symbol:
            x = cells.write(x, 0, entry.symbol, entry.style)
            x = cells.write(x, 0, " ", "tick")
        x = cells.write(x, 0, f"{entry.label} ", entry.label_style) + 1


def heading(pane: Pane, overlay: OverlayCurve | None, *, title: str, is_focused: bool) -> Iterator[HeadingEntry]:
    """Yield the unit, the steps in view, and what has no label beside its line."""
    glyphs, unit = PLOT_GLYPHS[pane.glyphs], pane.scale.unit
    name = f"{unit} per character" if pane.width >= _WIDE_PANE_CELLS else unit_label(unit)
    yield HeadingEntry(name + (", log" if pane.scale.is_log else ""), label_style="focus" if is_focused else "heading")
    if title:
        yield HeadingEntry(title, label_style="window")
    if overlay is not None:
        yield HeadingEntry(shortened(sanitize_line(overlay.run), _MAX_NAME_CELLS), glyphs.overlay_sample, "overlay")
    if pane.peak is not None:
        yield HeadingEntry(f"peak {format_loss(pane.peak, unit)}", glyphs.peak, "peak")
    if is_focused:
        yield FOCUS_HINT


def readout(view: RunView, pane: Pane, step: int, overlay: OverlayCurve | None) -> Iterator[HeadingEntry]:
    """Yield the values at a step: those of its column, and the nearest evaluation and learning rate."""
    unit, glyphs = pane.scale.unit, PLOT_GLYPHS[pane.glyphs]
    is_own = step >= view.train_losses.first_step and not pane.is_in_gap(step)  # before it, a branch shows its parent
    seconds = view.seconds.near(step) if is_own else None
    yield HeadingEntry(
        f"step {step:,}" + (f" at {format_duration(seconds)}" if seconds is not None else ""), label_style="readout"
    )
    yield from _train_entries(pane, step)
    if view.val_points:
        nearest = min(view.val_points, key=lambda point: abs(point.step - step))
        at = "" if nearest.step == step else f" at {nearest.step:,}"
        yield HeadingEntry(f"{format_loss(nearest.val_loss, unit)}{at}", glyphs.validation, "validation", "readout")
    if is_own and (rate := view.learning_rates.near(step)) is not None:
        yield HeadingEntry(f"lr {format_learning_rate(rate)}", label_style="readout")
    if overlay is not None and overlay.train_losses.first_step <= step <= overlay.train_losses.last_step:
        loss = overlay.train_losses.near(step)
        name = shortened(sanitize_line(overlay.run), _MAX_NAME_CELLS)
        yield HeadingEntry(f"{name} {format_loss(loss or 0.0, unit)}", glyphs.overlay_sample, "overlay", "readout")


def write_marks(cells: CellGrid, pane: Pane, step: int, marks: tuple[Mark, ...]) -> None:
    """Write the marks of the burst at a step below the heading, in as many rows as they need."""
    text = "; ".join(_by_kind(pane.marks_at(step, marks)))
    room, num_rows = pane.width - 2, max(pane.height // 2, 1)
    spans = wrap(text, room) if text else ()
    for row, (start, end) in enumerate(spans[:num_rows], start=1):
        is_cut = row == num_rows < len(spans)
        line = shortened(text[start:], room) if is_cut else text[start:end]
        cells.write(pane.left, row, f" {line} ", "mark")


def _by_kind(marks: Sequence[Mark]) -> Iterator[str]:
    """Yield the marks of each kind as one text: "learning rate 0.002, 0.004", "paused 3x"."""
    for kind, those in groupby(marks, attrgetter("kind")):
        texts: list[str] = []
        for label, same in groupby(mark.label for mark in those):
            text = shortened(sanitize_line(label), _MAX_MARK_CELLS)
            count = len(list(same))
            texts.append((text.removeprefix(f"{kind} ") if texts else text) + (f" {count}x" if count > 1 else ""))
        yield ", ".join(texts)


def _train_entries(pane: Pane, step: int) -> Iterator[HeadingEntry]:
    """Yield mean loss and range of the steps in the column of a step."""
    dots = pane.dots_of(step)
    count = pane.train.count[dots].sum()
    if not count:
        return
    unit = pane.scale.unit
    mean = float(np.nansum(pane.train.mean[dots] * pane.train.count[dots]) / count)
    over = f" over {count:,} steps" if count > 1 else ""
    yield HeadingEntry(f"train {format_loss(mean, unit)}{over}", label_style="readout")
    if count > 1:
        low, high = np.nanmin(pane.train.low[dots]), np.nanmax(pane.train.high[dots])
        band = f"{format_loss(float(low), unit)} to {format_loss(float(high), unit)}"
        yield HeadingEntry(band, PLOT_GLYPHS[pane.glyphs].band_sample, "band", "readout")


_SYMBOL_CELLS = 4


@dataclass(frozen=True)
class Meaning:
    """A symbol and what it means."""

    symbol: str
    style: StyleName
    text: str


def meanings(view: RunView, panes: Sequence[Pane], options: PlotOptions, *, num_mark_rows: int) -> list[Meaning]:
    """Return the meanings of what is drawn, lines first; the letters of marks are in `num_mark_rows`."""
    marks = [mark for mark in marks_of(view, options) if any(pane.column_of(mark.step) is not None for pane in panes)]
    bursts = [burst for pane in panes for burst in pane.bursts(tuple(marks)).items()]
    is_counted = any(len(burst[1]) > (num_mark_rows if is_stack(*burst) else 2) for burst in bursts)
    counts = [Meaning("2-9", "mark", "number of marks close together; +: more than 9")] if is_counted else []
    return [*_curve_lines(view, panes, options), *_levels(view, options), *_marks(marks), *counts]


def draw_legend(cells: CellGrid, pane: Pane, found: Sequence[Meaning], page: int) -> int:
    """Draw a page of the legend over a pane, below the heading; return the number of pages."""
    num_rows, room = cells.height - 2, cells.width - pane.left
    needed = _SYMBOL_CELLS + max(cell_len(meaning.text) for meaning in found) + 2
    num_columns = max(min(room // needed, -(-len(found) // num_rows)), 1)
    per_page = num_rows * num_columns
    num_pages = -(-len(found) // per_page)
    page = min(page, num_pages - 1)  # the plot may have had more pages before it was resized
    shown = found[page * per_page : (page + 1) * per_page]
    num_rows = -(-len(shown) // num_columns)
    width = min(needed, room)
    covered = width * num_columns if pane.left + width * num_columns <= pane.right else room
    for row in range(num_rows + 1):
        cells.draw_row(slice(pane.left, pane.left + covered), 1 + row, " ", "text")
    for number, meaning in enumerate(shown):
        column, row = divmod(number, num_rows)
        x = pane.left + 1 + column * width
        cells.write(x, 1 + row, meaning.symbol, meaning.style)
        cells.write(x + _SYMBOL_CELLS, 1 + row, shortened(meaning.text, width - _SYMBOL_CELLS - 2), "readout")
    more = f"again: page {page + 2} of {num_pages}, " if page + 1 < num_pages else ""
    cells.write(pane.left + 1, 1 + num_rows, shortened(f"{more}esc: close", covered - 2), "tick")
    return num_pages


def _curve_lines(view: RunView, panes: Sequence[Pane], options: PlotOptions) -> Iterator[Meaning]:
    """Yield the meanings of curves and points."""
    glyphs, unit = PLOT_GLYPHS[options.glyphs], options.scale.unit
    yield Meaning(glyphs.line_sample, "line", "train loss, smoothed")
    yield Meaning(glyphs.band_sample, "band", "train losses of single steps")
    if options.overlay is not None:
        yield Meaning(glyphs.overlay_sample, "overlay", f"train loss of {sanitize_line(options.overlay.run)}")
    peaks = [pane.peak for pane in panes if pane.peak is not None]
    if peaks:
        yield Meaning(glyphs.peak, "peak", f"steps above the plot, up to {format_loss(max(peaks), unit)}")
    if view.val_points:
        yield Meaning(glyphs.validation, "validation", "validation: held-out tweets")
    if (best := view.best) is not None:
        yield Meaning(glyphs.best, "best", f"best: {format_loss(best.val_loss, unit)} at step {best.step:,}")


def _levels(view: RunView, options: PlotOptions) -> Iterator[Meaning]:
    """Yield the meanings of levels."""
    glyphs = PLOT_GLYPHS[options.glyphs]
    sample = f"{glyphs.level[len(glyphs.level) // 2]} {glyphs.level[len(glyphs.level) // 2]}"
    for level in shown_levels(view, options):
        loss = format_loss(nats_of(level), options.scale.unit)
        state = "to beat"
        if level.crossed_at is not None:
            state = f"beaten at {level.crossed_at:,}" + ("" if view.is_beaten(level) else ", to beat again")
        yield Meaning(sample, "level_label", f"{loss} {level.name}, {state}: {level.meaning}")


def _marks(marks: Sequence[Mark]) -> Iterator[Meaning]:
    """Yield the meanings of the letters in view, with how often each occurs."""
    counts = Counter(mark.kind for mark in marks)
    for kind, letter in MARK_LETTERS.items():
        if count := counts[kind]:
            times = "" if count == 1 else f", {count:,}x"
            yield Meaning(letter, "mark", MARK_MEANINGS[kind] + times)
