"""Values of a `RunView` as short texts, for the status and machine panels. Pure; never lays out a line.

The status of a run as two full lines, for a terminal without a side panel. Pure; never paints.

Fields that don't fit are left out whole, the least important first, and counted at the end of the second line.

The status of a run in groups of labelled values, from a `RunView`. Pure; `pages` lays the groups out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len

from engine.corpus.report import counted
from engine.model.vocab import SPECIALS
from engine.text import sanitize_line
from tui.run.ending import eta_of
from tui.run.marks import Level
from tui.run.pending import format_speed_limit
from tui.run.view import SPENT, RunPhase, RunView, first_evaluation_at
from tui.text.cells import UNKNOWN, Line, Span, cut, num_cells, padded, progress_bar, shortened, slider
from tui.text.numbers import (
    LossUnit,
    format_bits,
    format_count,
    format_duration,
    format_eta,
    format_learning_rate,
    format_loss,
    format_temperature,
    unit_label,
)
from tui.text.tweets import FILTER_SEPARATOR, draw_settings, filter_parts

_PHASE_GLYPHS: dict[RunPhase, str] = {"starting": "○", "training": "▶", "paused": "‖", "finished": "■", "failed": "✗"}


def phase_text(view: RunView) -> str:
    """Return the phase with its glyph: "▶ training", "‖ paused, finishing", "▶ replay".

    A run whose budget is used up is "▶ finishing" until its last evaluation and save are done.
    """
    is_spent = view.progress is not None and view.progress >= SPENT
    if view.is_replay:
        word = "replay" if view.phase == "training" else f"replay, {view.shown_phase}"
    elif view.is_finishing or (view.phase == "training" and is_spent):
        word = "finishing" if view.phase == "training" else f"{view.phase}, finishing"
    else:
        word = view.shown_phase
    return f"{_PHASE_GLYPHS[view.shown_phase]} {word}"


def step_text(view: RunView) -> str:
    """Return the step, and the one at which the run stops: "600 of 1,200"."""
    limits = view.limits_in_steps
    return format_count(view.step) + (f" of {min(limits):,.0f}" if limits else "")


def remaining_text(view: RunView) -> Iterator[tuple[str, str]]:
    """Yield label and value of `stop_text`, unless the run has ended or the step already shows a used-up budget."""
    label, value = stop_text(view)
    if view.ended is None and value != f"{step_text(view)} steps":
        yield label, value


def stop_text(view: RunView) -> tuple[str, str]:
    """Return when the run stops, as label and value, or the budget that is used up."""
    if not view.has_budget:
        return "stops", "when you quit"
    if view.progress is not None and view.progress >= 1:
        return "done", _spent_budget(view)
    eta = eta_of(view)
    return "stops", f"in {UNKNOWN}" if eta is None else f"in {format_eta(eta.seconds, eta.spread_seconds)}"


def _spent_budget(view: RunView) -> str:
    """Return the budget that is used up: "1,000 of 1,000 steps", "5:00": the last evaluation may have exceeded it."""
    if any(view.step >= limit for limit in view.limits_in_steps):
        return f"{format_count(view.step)} of {min(view.limits_in_steps):,.0f} steps"
    return format_duration(min(view.limits_in_seconds))


def sampling_settings(view: RunView) -> Iterator[tuple[str, str]]:
    """Yield the temperature, and what is not at its default: the filter, the prime, and how each character is drawn."""
    sampling = view.sampling
    yield "temperature", format_temperature(sampling.temperature)
    if sampling.has_filter:
        yield "filter", FILTER_SEPARATOR.join(filter_parts(sampling))
    if sampling.prime:
        yield "prime", sampling.prime
    yield from draw_settings(sampling)
    if view.started is not None and sampling.max_length != view.started.sampling.max_length:
        yield "max length", format_count(sampling.max_length)


def device_text(view: RunView) -> str:
    """Return device, precision and threads: "cpu float32, 2 threads"."""
    if view.started is None:
        return UNKNOWN
    return f"{view.started.device} {view.precision}, {counted(view.num_threads, 'thread')}"


def num_ranks(view: RunView) -> int:
    """Return the number of processes that train together."""
    return 1 if view.started is None else view.started.world_size


def ranks_text(view: RunView, noun: str = "") -> Iterator[str]:
    """Yield number, machines and backend of the ranks: "16 on 2 machines, nccl"; nothing with one process."""
    if view.started is not None and view.started.world_size > 1:
        num_machines = len(set(view.ranks.hosts)) if view.ranks is not None else 1
        machines = f" on {num_machines} machines" if num_machines > 1 else ""
        yield f"{num_ranks(view)}{noun}{machines}, {view.started.backend}"


def slowest_rank_text(view: RunView) -> Iterator[str]:
    """Yield the rank that waits least for the others, and its share of waiting, once measured: "3, waits 12 %"."""
    if view.ranks is not None and view.ranks.waiting_shares:
        share, rank = min((share, rank) for rank, share in enumerate(view.ranks.waiting_shares))
        yield f"{rank}, waits {100 * share:.0f} %"


def learning_rate_text(view: RunView, separator: str) -> str:
    """Return the current learning rate, and the peak one if warm-up, schedule or finish have reduced it."""
    now = format_learning_rate(view.learning_rate)
    peak = format_learning_rate(view.training.learning_rate) if view.training is not None else now
    return now if now == peak else f"{now}{separator}{peak}"


def changed_batch_size(view: RunView) -> Iterator[str]:
    """Yield the batch size if it was changed during the session."""
    now, before = view.training, view.started.training if view.started is not None else None
    if now is not None and before is not None and now.batch_size != before.batch_size:
        yield f"{format_count(now.batch_size)}, was {format_count(before.batch_size)}"


def speed_limits(view: RunView) -> Iterator[str]:
    """Yield the speed limit, if there is one."""
    if view.training is not None and view.training.steps_per_second:
        yield format_speed_limit(view.training.steps_per_second)


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

Field = tuple[str, str, str]
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
        first = (*padded(first, width - cells), Span(_curve(view, cells), "curve"))
    num_left_out = num_values - num_first - num_second
    second = (*second[:2], *bar, *second[2:])
    if num_left_out <= 0 or view.started is None:
        return [first, second]
    end = (Span(f"+{num_left_out} values  ", "label"), Span(_KEY, "key"))
    return [first, (*padded(second, width - num_cells(end)), *end)]


def _progress_bar(view: RunView, width: int) -> Line:
    """Return a short bar of the budget with its percentage, if there are both a budget and room."""
    if view.progress is None:
        return ()
    cells = _BAR_CELLS if width >= _NARROW_CELLS else 0
    bar = (Span(" ", "label"), *progress_bar(view.progress, cells)) if cells else ()
    return (*bar, Span(f" {100 * view.progress:.0f} %".rjust(6), "value"))


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
    segments: list[Span] = []
    for label, raw, tone in fields:
        value = sanitize_line(raw)
        prefix = (gap if segments else "") + (f"{label} " if label else "")
        width -= cell_len(prefix) + cell_len(value)
        if width < 0:
            break
        segments += [Span(prefix, "label"), Span(value, tone)]
    return tuple(segments), len(segments) // 2


LABEL_CELLS = 14
_PERCENT_CELLS = 6
_MAX_SLIDER_TEMPERATURE = 2.0
"""Higher temperatures are at the right end of the slider."""
_MIN_SLIDER_CELLS = 8
_NUM_NAMED = 3
"""The latest checkpoints with a name of their own that are listed."""
_NUM_REASONS = 3
"""The most frequent reasons for which rows were left out that are listed."""

Values = tuple[tuple[str, str], ...]
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
    return Group("left out", tuple(cut([Span(reason, "value")], width) for reason in reasons), note)


def _lines(rows: Iterable[Row], width: int) -> tuple[Line, ...]:
    """Return a line of at most `width` cells per row; a long label leaves room for the values."""
    lines = []
    for label, values in rows:
        segments = [Span(*value) for value in values]
        room = max(width - num_cells(segments), LABEL_CELLS) - 1
        lines.append(cut((Span(shortened(label, room).ljust(LABEL_CELLS - 1) + " ", "label"), *segments), width))
    return tuple(lines)


def _bar(view: RunView, width: int) -> list[Line]:
    """Return a progress bar of the budget, if there is one."""
    if view.progress is None:
        return []
    percent = f"{100 * view.progress:.0f} %".rjust(_PERCENT_CELLS)
    return [(*progress_bar(view.progress, width - _PERCENT_CELLS), Span(percent, "value"))]


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
            yield label, ((value, "strong"), ("  ", "label"), *((segment.text, segment.style) for segment in bar))
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
