"""The status of a run in groups of labelled values, from a `RunView`. Pure; `pages` lays the groups out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.cells import cell_len

from engine.corpus.report import counted
from engine.model.vocab import SPECIALS
from engine.text import sanitize_line
from tui.formatting.loss_units import LossUnit, format_bits, format_loss, unit_label
from tui.formatting.numbers import format_count, shortened
from tui.formatting.sampling import FILTER_SEPARATOR, filter_parts
from tui.run.levels import Level
from tui.run.rates import first_evaluation_at
from tui.run.view import RunView
from tui.widgets.status.lines import Line, LineSegment, Tone, cut, num_cells, progress_bar, slider
from tui.widgets.status.view_text import (
    changed_batch_size,
    learning_rate_text,
    ranks_text,
    remaining_text,
    sampling_settings,
    slowest_rank_text,
    speed_limits,
    step_text,
)

LABEL_CELLS = 14
_PERCENT_CELLS = 6
_MAX_SLIDER_TEMPERATURE = 2.0
"""Higher temperatures are at the right end of the slider."""
_MIN_SLIDER_CELLS = 8
_NUM_NAMED = 3
"""The latest checkpoints with a name of their own that are listed."""
_NUM_REASONS = 3
"""The most frequent reasons for which rows were left out that are listed."""

Values = tuple[tuple[str, Tone], ...]
Row = tuple[str, Values]
"""A label, and values after it."""


@dataclass(frozen=True)
class Group:
    """Lines under a heading."""

    name: str
    lines: tuple[Line, ...]
    note: str = ""
    """At the right end of the heading."""


def status_groups(view: RunView, width: int, unit: LossUnit = "bits") -> list[Group]:
    """Return the groups of a run that have a line, the most important first."""
    groups = [
        Group("run", (*_lines(_run_rows(view), width), *_bar(view, width))),
        Group("loss", _lines(_loss_rows(view, unit), width), unit_label(unit)),
        Group("steering", _lines(_steering_rows(view, width), width)),
        Group("saved", _lines(_saved_rows(view), width)),
    ]
    return [group for group in groups if group.lines]


def setup_group(view: RunView, width: int) -> Group:
    """Return the group of what stays the same during a run."""
    return Group("model and data", _lines(_setup_rows(view), width))


def left_out_group(view: RunView, width: int) -> Group:
    """Return the group of the rows of the data that were dropped, by reason; without a line if there are none."""
    dropped = () if view.started is None else view.started.dropped
    reasons = [f"{format_count(count)} {sanitize_line(reason)}" for reason, count in dropped[:_NUM_REASONS]]
    others = [count for _, count in dropped[_NUM_REASONS:]]
    if others:
        reasons.append(f"{format_count(sum(others))} for {counted(len(others), 'other reason')}")
    num_rows = 0 if view.started is None else view.started.num_rows
    note = f"{format_count(sum(count for _, count in dropped))} of {counted(num_rows, 'row')}"
    return Group("left out", tuple(cut([LineSegment(reason, "value")], width) for reason in reasons), note)


def _lines(rows: Iterable[Row], width: int) -> tuple[Line, ...]:
    """Return a line of at most `width` cells per row; a long label leaves room for the values."""
    lines = []
    for label, values in rows:
        segments = [LineSegment(*value) for value in values]
        room = max(width - num_cells(segments), LABEL_CELLS) - 1
        lines.append(cut((LineSegment(shortened(label, room).ljust(LABEL_CELLS - 1) + " ", "label"), *segments), width))
    return tuple(lines)


def _bar(view: RunView, width: int) -> list[Line]:
    """Return a progress bar of the budget, if there is one."""
    if view.progress is None:
        return []
    percent = f"{100 * view.progress:.0f} %".rjust(_PERCENT_CELLS)
    return [(*progress_bar(view.progress, width - _PERCENT_CELLS), LineSegment(percent, "value"))]


def _run_rows(view: RunView) -> Iterator[Row]:
    """Yield step, epoch, end and what slows the run down."""
    yield "step", ((step_text(view), "strong"),)
    if view.started is None:
        return
    yield "epoch", ((f"{view.epoch:.2f}", "value"),)
    yield from ((label, ((value, "value"),)) for label, value in remaining_text(view))
    yield from (("speed limit", ((limit, "strong"),)) for limit in speed_limits(view))
    yield from (("ranks", ((sanitize_line(text), "value"),)) for text in ranks_text(view))
    yield from (("slowest rank", ((text, "value"),)) for text in slowest_rank_text(view))


def _level_ahead(view: RunView) -> Level | None:
    """Return the next level to beat; before the first evaluation, the first below the train loss, if any."""
    ahead = [level for level in view.levels if not view.is_beaten(level)]
    if view.last_val is None and view.smoothed_bits is not None:
        ahead = [level for level in ahead if level.bits_per_char < view.smoothed_bits]
    return next(iter(ahead), None)


def _loss_rows(view: RunView, unit: LossUnit) -> Iterator[Row]:
    """Yield losses, and the level to beat."""
    if view.smoothed_loss is not None:
        yield "train", ((format_loss(view.smoothed_loss, unit), "train"),)
    last, best = view.last_val, view.best
    if last is not None:
        at = f"  {'estimate ' if last.is_early else ''}at {format_count(last.step)}"
        is_best = best is not None and best.step == last.step
        note = (("  ◆ best", "val"),) if is_best else ()
        yield "validation", ((format_bits(last.bits_per_char, unit), "val"), *note, (at, "label"))
        if best is not None and not is_best:
            best_at = f"  at {format_count(best.step)}"
            yield "best", ((format_bits(best.bits_per_char, unit), "val"), (best_at, "label"))
    elif (first := first_evaluation_at(view)) is not None:
        yield "validation", ((f"first at step {format_count(first)}", "label"),)
    ahead = _level_ahead(view)
    if ahead is not None:
        label = "to beat" if ahead.crossed_at is None else "to beat again"
        yield label, ((format_bits(ahead.bits_per_char, unit), "level"), (f"  {ahead.name}", "label"))
    elif view.levels and view.is_beaten(view.levels[-1]):
        beaten = view.levels[-1]
        value = f"{format_bits(beaten.bits_per_char, unit)}  ✓ {beaten.name}"
        yield "beaten", ((value, "good"), (f"  at {format_count(beaten.crossed_at or 0)}", "label"))


def _steering_rows(view: RunView, width: int) -> Iterator[Row]:
    """Yield the settings that keys change."""
    for label, value in sampling_settings(view):
        if label == "temperature":
            room = width - LABEL_CELLS - len(value) - 2
            bar = slider(view.sampling.temperature / _MAX_SLIDER_TEMPERATURE, room) if room >= _MIN_SLIDER_CELLS else ()
            yield label, ((value, "strong"), ("  ", "label"), *((segment.text, segment.tone) for segment in bar))
        elif label == "filter":
            for number, line in enumerate(_packed(filter_parts(view.sampling), width - LABEL_CELLS)):
                yield label if number == 0 else "", ((sanitize_line(line), "value"),)
        else:
            yield label, ((sanitize_line(value), "value"),)
    if view.started is not None:
        yield "learning rate", ((learning_rate_text(view, " of "), "value"),)
        yield from (("batch size", ((size, "value"),)) for size in changed_batch_size(view))


def _packed(parts: Iterable[str], width: int) -> list[str]:
    """Return the parts in lines of at most `width` cells, or of a single part."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(longer := f"{lines[-1]}{FILTER_SEPARATOR}{part}") <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _saved_rows(view: RunView) -> Iterator[Row]:
    """Yield the checkpoints and the run's name."""
    if view.started is None:
        return
    latest = "not saved yet" if view.saved_step is None else f"step {format_count(view.saved_step)}"
    yield "latest", ((latest, "value"),)
    if view.saved is not None and view.saved.name == "best":
        yield "best", ((f"step {format_count(view.saved.weights_step)}", "value"),)
    named = [mark for mark in view.marks if mark.kind == "saved"][-_NUM_NAMED:]
    for mark in reversed(named):
        yield sanitize_line(mark.label.removeprefix("saved ")), ((f"step {format_count(mark.step)}", "value"),)
    yield "run", ((sanitize_line(view.started.run), "value"),)


def _setup_rows(view: RunView) -> Iterator[Row]:
    """Yield model, batch and tweets."""
    started, training = view.started, view.training
    if started is None:
        return
    if view.model is not None:
        yield "model", ((f"GRU {view.model.num_layers} x {view.model.hidden_size}", "value"),)
    yield "parameters", ((format_count(view.num_parameters), "value"),)
    if view.is_warm_start or view.branched_from:
        yield (
            "started from",
            (("the shipped model" if view.is_warm_start else sanitize_line(view.branched_from), "value"),),
        )
    if training is not None:
        yield "batch size", ((f"{format_count(training.batch_size)} tweets", "value"),)
    yield "corpus", ((sanitize_line(started.corpus), "value"),)
    yield "characters", ((f"{format_count(started.vocab_size - len(SPECIALS))} different", "value"),)
    if view.is_overfit:
        yield "trains on", (("1 tweet, by heart", "value"),)
        return
    yield "trains on", ((f"{format_count(started.num_train_tweets)} tweets", "value"),)
    yield "validation", ((f"{format_count(started.num_val_tweets)} tweets", "value"),)
