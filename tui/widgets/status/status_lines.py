"""The status of a run as lines of text, from a `RunView`. Pure; never paints.

Two layouts: a column of labels and values, and three full lines of fields. In the lines, fields that don't fit are left
out whole, the least important first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.cells import cell_len

from engine.text import harmless
from tui.formatting.loss_units import LossUnit, format_bits, format_loss, unit_label
from tui.formatting.numbers import (
    format_count,
    format_duration,
    format_rate,
    format_short,
    shortened,
)
from tui.run.view import RunPhase, RunView
from tui.widgets.status.lines import UNKNOWN, Line, LineSegment, Tone
from tui.widgets.status.view_text import (
    changed_batch_size,
    device_text,
    learning_rate_text,
    phase_text,
    ranks_text,
    sampling_settings,
    saved_text,
    slowest_rank_text,
    speed_limits,
    stop_text,
)

_LABEL_WIDTH = 14
_GAP = "   "
_BAR_FULL, _BAR_EMPTY = "━", "─"
_PHASE_TONES: dict[RunPhase, Tone] = {
    "starting": "label",
    "training": "good",
    "paused": "strong",
    "finished": "strong",
    "failed": "bad",
}

Field = tuple[str, str, Tone]
"""A label, possibly empty; a value; the value's tone."""


def column_lines(view: RunView, width: int, height: int, unit: LossUnit = "bits") -> list[Line]:
    """Return a label and a value per line in groups, the most important first.

    Empty lines separate the groups if all of them fit.
    """
    groups = [
        [_phase_line(view), *_rows(_progress_rows(view), width), *_bar(view, width)],
        _rows(_quality_rows(view, unit), width),
        _rows(_steering_rows(view), width),
        _rows(_setup_rows(view, width), width),
    ]
    groups = [group for group in groups if group]
    blank: list[Line] = [()] if sum(map(len, groups)) + len(groups) - 1 <= height else []
    lines: list[Line] = []
    for group in groups:
        lines += [*(blank if lines else []), *group]
    return lines


def compact_lines(view: RunView, width: int, unit: LossUnit = "bits") -> list[Line]:
    """Return three full lines: progress; quality and steering; setup."""
    lines = (_progress_fields(view), _quality_fields(view, unit), _setup_fields(view))
    return [_fitted(fields, width) for fields in lines]


def _phase_line(view: RunView) -> Line:
    return (LineSegment(phase_text(view), _PHASE_TONES[view.phase]),)


def _rows(fields: Iterable[Field], width: int) -> list[Line]:
    """Return a line of at most `width` cells per field, its value truncated if necessary."""
    return [
        (
            LineSegment(label.ljust(_LABEL_WIDTH), "label"),
            LineSegment(shortened(harmless(value), width - _LABEL_WIDTH), tone),
        )
        for label, value, tone in fields
    ]


def _bar(view: RunView, width: int) -> list[Line]:
    """Return a progress bar of the budget, if there is one."""
    if view.progress is None:
        return []
    percent = f" {100 * view.progress:3.0f} %"
    cells = max(width - len(percent), 0)
    num_full = int(cells * view.progress)
    return [
        (
            LineSegment(_BAR_FULL * num_full, "good"),
            LineSegment(_BAR_EMPTY * (cells - num_full), "quiet"),
            LineSegment(percent, "value"),
        )
    ]


def _progress_rows(view: RunView) -> Iterator[Field]:
    """Yield step, epoch, time and end."""
    epoch = f" (epoch {view.epoch:.2f})" if view.started is not None else ""
    yield "step", f"{format_count(view.step)}{epoch}", "strong"
    if view.started is not None:
        yield "time", format_duration(view.elapsed_seconds), "value"
        if view.ended is None:
            yield *stop_text(view), "value"


def _quality_rows(view: RunView, unit: LossUnit) -> Iterator[Field]:
    """Yield losses."""
    if view.smoothed_loss is not None:
        yield "train loss", f"{format_loss(view.smoothed_loss, unit)} {unit_label(unit)}", "strong"
    if view.last_val is not None:
        yield "validation", format_bits(view.last_val.bits_per_char, unit), "value"
    if view.best is not None:
        best = format_bits(view.best.bits_per_char, unit)
        yield "best", f"{best} at step {format_count(view.best.step)}", "good"


def _steering_rows(view: RunView) -> Iterator[Field]:
    """Yield speed and the settings that keys change."""
    if view.started is not None:
        yield "speed", format_rate(view.chars_per_second) if view.chars_per_second else UNKNOWN, "value"
        yield from (("", f"at most {limit}", "strong") for limit in speed_limits(view))
        yield "learning rate", learning_rate_text(view, " of "), "value"
        yield from (("batch size", size, "value") for size in changed_batch_size(view))
    for label, value in sampling_settings(view.sampling):
        yield label, value, "strong" if label == "temperature" else "value"


def _setup_rows(view: RunView, width: int) -> Iterator[Field]:
    """Yield checkpoint, device, ranks, model, corpus and run; the tweets take two rows if one is too narrow."""
    started = view.started
    if started is None:
        return
    yield "saved", saved_text(view), "value"
    yield "device", device_text(view), "value"
    yield from (("ranks", text, "value") for text in ranks_text(view))
    yield from (("", f"slowest {text}", "value") for text in slowest_rank_text(view))
    if view.model is not None:
        yield "model", f"GRU {view.model.num_layers} x {view.model.hidden_size}", "value"
    yield "parameters", format_count(view.num_parameters), "value"
    yield "corpus", started.corpus, "value"
    train = f"{format_count(started.num_train_tweets)} train"
    validation = f"{format_count(started.num_val_tweets)} validation"
    if view.is_overfit:
        yield "tweets", "1, to learn by heart", "value"
    elif _LABEL_WIDTH + len(f"{train}, {validation}") <= width:
        yield "tweets", f"{train}, {validation}", "value"
    else:
        yield "tweets", train, "value"
        yield "", validation, "value"
    yield "run", started.run, "value"


def _progress_fields(view: RunView) -> Iterator[Field]:
    """Yield the first line's fields, the most important first."""
    yield "", phase_text(view), _PHASE_TONES[view.phase]
    yield "step", format_count(view.step), "strong"
    if view.started is None:
        return
    yield from (("", f"≤ {limit}", "strong") for limit in speed_limits(view))
    yield "epoch", f"{view.epoch:.2f}", "value"
    yield "time", format_duration(view.elapsed_seconds), "value"
    label, value = stop_text(view)
    stop: Field = (label, f"({value})" if label == "done" else value, "value" if view.has_budget else "label")
    if view.ended is None and view.has_budget:
        yield stop
    if view.chars_per_second:
        yield "", format_rate(view.chars_per_second), "value"
    if view.ended is None and not view.has_budget:
        yield stop


def _quality_fields(view: RunView, unit: LossUnit) -> Iterator[Field]:
    """Yield the second line's fields, the most important first."""
    if view.smoothed_loss is not None:
        yield unit_label(unit), format_loss(view.smoothed_loss, unit), "strong"
    if view.last_val is not None:
        yield "val", format_bits(view.last_val.bits_per_char, unit), "value"
    if view.best is not None:
        yield "best", format_bits(view.best.bits_per_char, unit), "good"
    for label, value in sampling_settings(view.sampling):
        yield ("temp", value, "strong") if label == "temperature" else (label, shortened(value, 20), "value")
    if view.started is not None:
        yield "lr", learning_rate_text(view, "/"), "value"
        yield from (("batch", size, "value") for size in changed_batch_size(view))


def _setup_fields(view: RunView) -> Iterator[Field]:
    """Yield the third line's fields, the most important first."""
    started = view.started
    if started is None:
        return
    yield "", shortened(started.corpus, 24), "value"
    yield from (("", text, "value") for text in ranks_text(view, " ranks"))
    yield from (("slowest", text, "value") for text in slowest_rank_text(view))
    num_tweets = started.num_train_tweets
    sizes: list[Field] = [
        ("", f"{format_short(num_tweets)} tweet{'' if num_tweets == 1 else 's'}", "label"),
        ("", f"{format_short(view.num_parameters)} parameters", "label"),
    ]
    device: Field = ("", device_text(view), "label")
    yield from (device, *sizes) if started.world_size > 1 else (*sizes, device)
    if view.saved is not None:
        yield "saved", saved_text(view), "label"
    yield "run", started.run, "label"


def _fitted(fields: Iterable[Field], width: int) -> Line:
    """Return one line of the fields that fit into `width` cells; the first that doesn't ends the line."""
    segments: list[LineSegment] = []
    for label, raw, tone in fields:
        value = harmless(raw)
        prefix = (_GAP if segments else "") + (f"{label} " if label else "")
        width -= cell_len(prefix) + cell_len(value)
        if width < 0:
            break
        segments += [LineSegment(prefix, "label"), LineSegment(value, tone)]
    return tuple(segments)
