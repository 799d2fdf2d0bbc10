"""The status of a run as two full lines, for a terminal without a side panel. Pure; never paints.

Fields that don't fit are left out whole, the least important first, and counted at the end of the second line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from rich.cells import cell_len

from engine.text import sanitize_line
from tui.formatting.loss_units import LossUnit, format_bits, format_loss
from tui.formatting.numbers import format_count, shortened
from tui.run.rates import first_evaluation_at
from tui.run.view import RunView
from tui.widgets.status.groups import left_out_group, setup_group, status_groups
from tui.widgets.status.lines import Line, LineSegment, Tone, num_cells, padded, progress_bar
from tui.widgets.status.view_text import (
    changed_batch_size,
    learning_rate_text,
    ranks_text,
    remaining_text,
    sampling_settings,
    speed_limits,
    step_text,
)

_GAP = "   "
_NARROW_CELLS = 60
_BAR_CELLS = 12
_MAX_VALUE_CELLS = 28
_MAX_FILTER_CELLS = 16
"""What the losses and the temperature leave of 80 cells."""
_GROUP_CELLS = 200
"""Room for any value in one line, to count the values."""

_KEY = "h"
_MIN_CURVE_CELLS, _MAX_CURVE_CELLS = 6, 24
_BLOCKS = "▁▂▃▄▅▆▇█"

Field = tuple[str, str, Tone]
"""A label, possibly empty; a value; the value's tone."""


def compact_lines(view: RunView, width: int, unit: LossUnit = "bits", *, has_curve: bool = False) -> list[Line]:
    """Return two full lines: losses and steering; progress. The second ends with the number of values left out.

    With `has_curve`, a small curve of the train loss fills the first line: there is no room for the plot.
    """
    gap = _GAP if width >= _NARROW_CELLS else " "
    first, num_first = _fitted(_quality_fields(view, unit, is_narrow=gap != _GAP), width, gap)
    more = (left_out_group(view, _GROUP_CELLS), setup_group(view, _GROUP_CELLS))
    groups = [*status_groups(view, _GROUP_CELLS, unit), *more]
    num_values = sum(len(group.lines) for group in groups) - (view.progress is not None) + 1  # and the machine
    bar = _progress_bar(view, width)
    sign = f"+{num_values} values  "
    room = width - len(sign) - len(gap) - len(_KEY) - num_cells(bar)
    second, num_second = _fitted(_progress_fields(view), room, gap)
    if has_curve and (cells := min(width - num_cells(first) - len(gap), _MAX_CURVE_CELLS)) >= _MIN_CURVE_CELLS:
        first = (*padded(first, width - cells), LineSegment(_curve(view, cells), "curve"))
    num_left_out = num_values - num_first - num_second
    second = (*second[:2], *bar, *second[2:])
    if num_left_out <= 0 or view.started is None:
        return [first, second]
    end = (LineSegment(f"+{num_left_out} values  ", "label"), LineSegment(_KEY, "key"))
    return [first, (*padded(second, width - num_cells(end)), *end)]


def _progress_bar(view: RunView, width: int) -> Line:
    """Return a short bar of the budget with its percentage, if there are both a budget and room."""
    if view.progress is None:
        return ()
    cells = _BAR_CELLS if width >= _NARROW_CELLS else 0
    bar = (LineSegment(" ", "label"), *progress_bar(view.progress, cells)) if cells else ()
    return (*bar, LineSegment(f" {100 * view.progress:.0f} %".rjust(6), "value"))


def _curve(view: RunView, width: int) -> str:
    """Return the smoothed train loss of the whole run as blocks of eight heights."""
    losses = view.train_losses
    if not len(losses):
        return ""
    means = losses.columns(losses.first_step, losses.last_step, width).smoothed()
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    heights = (means - low) / max(high - low, 1e-9) * (len(_BLOCKS) - 1)
    return "".join(" " if math.isnan(height) else _BLOCKS[round(height)] for height in heights.tolist())


def _quality_fields(view: RunView, unit: LossUnit, *, is_narrow: bool) -> Iterator[Field]:
    """Yield the first line's fields, the most important first."""
    if view.smoothed_loss is not None:
        yield "train", format_loss(view.smoothed_loss, unit), "train"
    if view.last_val is not None:
        yield "val" if is_narrow else "validation", format_bits(view.last_val.bits_per_char, unit), "val"
    settings = dict(sampling_settings(view))
    yield "temp" if is_narrow else "temperature", settings.pop("temperature"), "strong"
    if "filter" in settings and not is_narrow:
        yield "filter", shortened(settings.pop("filter"), _MAX_FILTER_CELLS), "value"
    if view.best is not None and view.best != view.last_val:
        yield "best", format_bits(view.best.bits_per_char, unit), "val"
    yield from ((label, shortened(value, _MAX_VALUE_CELLS), "value") for label, value in settings.items())
    if view.started is not None:
        yield "learning rate", learning_rate_text(view, "/"), "value"
        yield from (("batch", size, "value") for size in changed_batch_size(view))
    if (first := first_evaluation_at(view)) is not None:
        yield "validation", f"first at {format_count(first)}", "label"


def _progress_fields(view: RunView) -> Iterator[Field]:
    """Yield the second line's fields, the most important first."""
    yield "step", step_text(view), "strong"
    if view.started is None:
        return
    yield from (("", f"≤ {limit}", "strong") for limit in speed_limits(view))
    stops: list[Field] = [(label, value, "value") for label, value in remaining_text(view)]
    epoch: Field = ("epoch", f"{view.epoch:.2f}", "value")
    yield from (*stops, epoch) if view.has_budget else (epoch, *stops)
    yield from (("", text, "value") for text in ranks_text(view, " ranks"))
    if view.saved_step is not None:
        yield "saved", f"step {format_count(view.saved_step)}", "value"


def _fitted(fields: Iterable[Field], width: int, gap: str) -> tuple[Line, int]:
    """Return one line of the fields that fit into `width` cells, and how many; the first that doesn't ends it."""
    segments: list[LineSegment] = []
    for label, raw, tone in fields:
        value = sanitize_line(raw)
        prefix = (gap if segments else "") + (f"{label} " if label else "")
        width -= cell_len(prefix) + cell_len(value)
        if width < 0:
            break
        segments += [LineSegment(prefix, "label"), LineSegment(value, tone)]
    return tuple(segments), len(segments) // 2
