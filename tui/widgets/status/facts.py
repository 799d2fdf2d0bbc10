"""The status of a run as text: one list of facts for the side panel and for the two lines of a small terminal.

Pure. A fact has a group for the side panel, and a line and a rank for the two lines, which leave out whole facts, those
of the highest ranks first, and count them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.model.vocab import SPECIALS
from engine.protocol.events import RunStarted
from engine.text import counted, sanitize_line
from tui.run.ending import eta_of
from tui.run.pending import format_speed_limit
from tui.run.view import SPENT, RunPhase, RunView, first_evaluation_at, is_spent
from tui.text.cells import UNKNOWN, Line, Span, cell_len, num_cells, padded, progress_bar, shortened
from tui.text.numbers import (
    LossUnit,
    format_bits,
    format_duration,
    format_eta,
    format_learning_rate,
    format_loss,
    unit_label,
)
from tui.text.tweets import FILTER_SEPARATOR, draw_settings, filter_parts
from tui.widgets.line_view import clickable

STYLES = ("label", "value", "strong", "good", "rule", "heading", "key", "train", "curve", "val", "level")
"""The styles of the spans of a status."""
TURN_KEY = "h"
"""Turns the page of the side panel."""
_PHASE_GLYPHS: dict[RunPhase, str] = {"starting": "○", "training": "▶", "paused": "‖", "finished": "■", "failed": "✗"}
_MAX_SLIDER_TEMPERATURE = 2.0
"""Higher temperatures are at the right end of the slider."""
_NUM_NAMED, _NUM_REASONS = 3, 3
"""The latest checkpoints with a name of their own, and the most frequent reasons to leave out rows, that are listed."""
_MAX_VALUE_CELLS, _MAX_FILTER_CELLS = 28, 16
"""The longest value and filter in a line of 80 cells, beside the losses and the temperature."""
_MIN_WIDE_CELLS, _BAR_CELLS = 60, 12
_NARROW_LABELS = {"validation": "val", "temperature": "temp"}
_MIN_CURVE_CELLS, _MAX_CURVE_CELLS = 6, 24
_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Fact:
    """A labelled value of a status."""

    group: str
    label: str
    values: Line
    line: int = 0
    """1 or 2: the line of a small terminal in which the fact is; 0: in neither."""
    rank: int = 0
    """The place of the fact in its line; the last ones are left out where there is no room."""
    short: tuple[str, str] | None = None
    """Label and value in the line of a small terminal, if they differ."""
    is_list: bool = False
    """Whether there is a separator between the values, which fill more than one line where they have to."""
    slider: float | None = None
    """The value as a share, 0 to 1, drawn behind it as a slider where there is room."""
    note: str = ""
    """Text at the right end of the heading of the group."""


def facts(view: RunView, unit: LossUnit) -> Iterator[Fact]:
    """Yield the facts of a run, group by group, the most important first."""
    yield from _run_facts(view)
    yield from _loss_facts(view, unit)
    yield from _steering_facts(view)
    if view.started is not None:
        yield from _saved_facts(view, view.started)
        yield from _left_out_facts(view.started)
        yield from _setup_facts(view, view.started)


def _value(text: str, style: str = "value") -> Line:
    return (Span(sanitize_line(text), style),)


def _run_facts(view: RunView) -> Iterator[Fact]:
    """Yield step, epoch, end and what slows the run down."""
    of_limit = f" of {min(view.limits_in_steps):,.0f}" if view.limits_in_steps else ""
    yield Fact("run", "step", _value(f"{view.step:,}{of_limit}", "strong"), 2)
    if view.started is None:
        return
    yield Fact("run", "epoch", _value(f"{view.epoch:.2f}"), 2, rank=2 if view.progress is None else 3)
    label, value = _stop(view)
    if view.ended is None and value:
        yield Fact("run", label, _value(value), 2, rank=3 if view.progress is None else 2)
    if view.training is not None and view.training.steps_per_second:
        limit = format_speed_limit(view.training.steps_per_second)
        yield Fact("run", "speed limit", _value(limit, "strong"), 2, rank=1, short=("", f"≤ {limit}"))
    if (size := num_ranks(view)) > 1:
        num_machines = len(set(view.ranks.hosts)) if view.ranks is not None else 1
        rest = f"{f' on {num_machines} machines' if num_machines > 1 else ''}, {view.started.backend}"
        yield Fact("run", "ranks", _value(f"{size}{rest}"), 2, rank=4, short=("", f"{size} ranks{rest}"))
    if view.ranks is not None and view.ranks.waiting_shares:
        share, rank = min((share, rank) for rank, share in enumerate(view.ranks.waiting_shares))
        yield Fact("run", "slowest rank", _value(f"{rank}, waits {100 * share:.0f} %"))


def _stop(view: RunView) -> tuple[str, str]:
    """Return when the run stops, as label and value, or the seconds used up; "" for steps, which the step shows."""
    if view.progress is None:
        return "stops", "past its best" if view.ends_at_best else "when you quit"
    if is_spent(view):  # the last evaluation may have exceeded a limit in seconds
        is_in_steps = any(view.step / limit >= SPENT for limit in view.limits_in_steps)
        return "done", "" if is_in_steps else format_duration(min(view.limits_in_seconds))
    eta = eta_of(view)
    return "stops", f"in {UNKNOWN}" if eta is None else f"in {format_eta(eta.seconds, eta.spread_seconds)}"


def _loss_facts(view: RunView, unit: LossUnit) -> Iterator[Fact]:
    """Yield losses, and the baseline to beat."""
    note, last, best = unit_label(unit), view.last_val, view.best
    if (loss := view.smoothed_loss) is not None:
        yield Fact("loss", "train", _value(format_loss(loss, unit), "train"), 1, note=note)
    if last is not None:
        value = format_bits(last.bits_per_char, unit)
        is_best = best is not None and best.step == last.step
        at = Span(f"  {'estimate ' if last.is_early else ''}at {last.step:,}", "label")
        values = (Span(value, "val"), *((Span("  ◆ best", "val"),) if is_best else ()), at)
        yield Fact("loss", "validation", values, 1, rank=1, note=note)
    elif (first := first_evaluation_at(view)) is not None:
        at_first = f"first at {first:,}"
        values = _value(f"first at step {first:,}", "label")
        yield Fact("loss", "validation", values, 1, rank=9, short=("validation", at_first), note=note)
    if best is not None and (last is None or best.step != last.step):
        value = format_bits(best.bits_per_char, unit)
        values = (Span(value, "val"), Span(f"  at {best.step:,}", "label"))
        yield Fact("loss", "best", values, 1, rank=4, note=note)
    ahead = [baseline for baseline in view.baselines if not view.is_beaten(baseline)]
    if last is None:
        ahead = [each for each in ahead if view.smoothed_bits is None or each.bits_per_char < view.smoothed_bits]
    if ahead:
        label = "to beat" if ahead[0].crossed_at is None else "to beat again"
        values = (Span(format_bits(ahead[0].bits_per_char, unit), "level"), Span(f"  {ahead[0].name}", "label"))
        yield Fact("loss", label, values, note=note)
    elif view.baselines and view.is_beaten(view.baselines[-1]):
        beaten = view.baselines[-1]
        value = f"{format_bits(beaten.bits_per_char, unit)}  ✓ {beaten.name}"
        at = Span(f"  at {beaten.crossed_at or 0:,}", "label")
        yield Fact("loss", "beaten", (Span(value, "good"), at), note=note)


def _steering_facts(view: RunView) -> Iterator[Fact]:
    """Yield the settings that keys change: the temperature, and the others where they are not at their default."""
    sampling, started = view.sampling, view.started
    temperature, share = f"{sampling.temperature:.2f}", sampling.temperature / _MAX_SLIDER_TEMPERATURE
    yield Fact("steering", "temperature", _value(temperature, "strong"), 1, rank=2, slider=share)
    if sampling.has_filter:
        parts = tuple(Span(sanitize_line(part), "value") for part in filter_parts(sampling))
        whole = shortened(FILTER_SEPARATOR.join(part.text for part in parts), _MAX_FILTER_CELLS)
        yield Fact("steering", "filter", parts, 1, rank=3, short=("filter", whole), is_list=True)
    others = [("prime", sampling.prime)] if sampling.prime else []
    others += draw_settings(sampling)
    if started is not None and sampling.max_length != started.sampling.max_length:
        others.append(("max length", f"{sampling.max_length:,}"))
    for label, value in others:
        short = (label, shortened(sanitize_line(value), _MAX_VALUE_CELLS))
        yield Fact("steering", label, _value(value), 1, rank=5, short=short)
    if started is None:
        return
    now = format_learning_rate(view.learning_rate)
    peak = format_learning_rate(view.training.learning_rate) if view.training is not None else now
    of_peak, per_peak = (now, now) if now == peak else (f"{now} of {peak}", f"{now}/{peak}")
    yield Fact("steering", "learning rate", _value(of_peak), 1, rank=6, short=("learning rate", per_peak))
    if view.training is not None and view.training.batch_size != started.training.batch_size:
        sizes = f"{view.training.batch_size:,}, was {started.training.batch_size:,}"
        yield Fact("steering", "batch size", _value(sizes), 1, rank=7, short=("batch", sizes))


def _saved_facts(view: RunView, started: RunStarted) -> Iterator[Fact]:
    """Yield the checkpoints and the run's name."""
    if view.saved_step is None:
        yield Fact("saved", "latest", _value("not saved yet"))
    else:
        step = f"step {view.saved_step:,}"
        yield Fact("saved", "latest", _value(step), 2, rank=5, short=("saved", step))
    if view.saved is not None and view.saved.name == "best":
        yield Fact("saved", "best", _value(f"step {view.saved.weights_step:,}"))
    for mark in [mark for mark in reversed(view.marks) if mark.kind == "saved"][:_NUM_NAMED]:
        name = sanitize_line(mark.label.removeprefix("saved "))
        yield Fact("saved", name, _value(f"step {mark.step:,}"))
    yield Fact("saved", "run", _value(started.run))


def _left_out_facts(started: RunStarted) -> Iterator[Fact]:
    """Yield the rows of the data that were dropped, by reason."""
    dropped = started.dropped
    reasons = [f"{count:,} {reason}" for reason, count in dropped[:_NUM_REASONS]]
    if others := [count for _, count in dropped[_NUM_REASONS:]]:
        reasons.append(f"{sum(others):,} for {counted(len(others), 'other reason')}")
    note = f"{sum(count for _, count in dropped):,} of {counted(started.num_rows, 'row')}"
    for reason in reasons:
        yield Fact("left out", "", _value(reason), note=note)


def _setup_facts(view: RunView, started: RunStarted) -> Iterator[Fact]:
    """Yield what stays the same during a run: model, batch and tweets."""
    rows = {"model": f"GRU {view.model.num_layers} x {view.model.hidden_size}"} if view.model is not None else {}
    rows["parameters"] = f"{view.num_parameters:,}"
    if view.is_warm_start or view.branched_from:
        rows["started from"] = "the shipped model" if view.is_warm_start else view.branched_from
    if view.training is not None:
        rows["batch size"] = f"{view.training.batch_size:,} tweets"
    rows["corpus"] = started.corpus
    rows["characters"] = f"{started.vocab_size - len(SPECIALS):,} different"
    if view.is_overfit:
        rows["trains on"] = "1 tweet, by heart"
    else:
        rows["trains on"] = f"{started.num_train_tweets:,} tweets"
        rows["validation"] = f"{started.num_val_tweets:,} tweets"
    for label, value in rows.items():
        yield Fact("model and data", label, _value(value))


# Texts that header, bars and machine share ----------------------------------------------------------------------------


def phase_text(view: RunView) -> str:
    """Return the phase with its glyph: "▶ training", "‖ paused, finishing", "▶ replay".

    A run whose budget is used up is "▶ finishing" until its last evaluation and save are done.
    """
    if view.is_replay:
        word = "replay" if view.phase == "training" else f"replay, {view.shown_phase}"
    elif view.is_finishing or (view.phase == "training" and is_spent(view)):
        word = "finishing" if view.phase == "training" else f"{view.phase}, finishing"
    else:
        word = view.shown_phase
    return f"{_PHASE_GLYPHS[view.shown_phase]} {word}"


def device_text(view: RunView) -> str:
    """Return device, precision and threads: "cpu float32, 2 threads"."""
    if view.started is None:
        return UNKNOWN
    return f"{view.started.device} {view.precision}, {counted(view.num_threads, 'thread')}"


def num_ranks(view: RunView) -> int:
    """Return the number of processes that train together."""
    return 1 if view.started is None else view.started.world_size


# The two lines of a small terminal ------------------------------------------------------------------------------------


def two_lines(view: RunView, width: int, unit: LossUnit = "bits", *, has_curve: bool = False) -> list[Line]:
    """Return two full lines: losses and steering; progress. The second ends with the number of facts left out.

    With `has_curve`, a small curve of the train loss fills the first line: there is no room for the plot.
    """
    every, is_wide = list(facts(view, unit)), width >= _MIN_WIDE_CELLS
    num_facts, gap = len(every) + 1, "   " if is_wide else " "  # the machine counts as one
    first = _as_many_as_fit([fact for fact in every if fact.line == 1], width, gap)
    cells = min(width - num_cells(first) - len(gap), _MAX_CURVE_CELLS)
    bar: Line = ()
    if (share := view.progress) is not None:
        bar = (Span(" ", "label"), *progress_bar(share, _BAR_CELLS)) if is_wide else ()
        bar = (*bar, Span(f" {100 * share:.0f} %".rjust(6), "value"))
    room = width - num_cells(bar) - len(f"+{num_facts} values  {TURN_KEY}{gap}")
    second = _as_many_as_fit([fact for fact in every if fact.line == 2], room, gap)
    num_left_out = num_facts - (len(first) + len(second)) // 2
    if has_curve and cells >= _MIN_CURVE_CELLS:
        first = (*padded(first, width - cells), Span(_curve(view, cells), "curve"))
    second = (*second[:2], *bar, *second[2:])  # the bar follows the step
    if num_left_out > 0 and view.started is not None:
        end = (Span(f"+{num_left_out} values  ", "label"), Span(TURN_KEY, "key"))
        second = (*padded(second, width - num_cells(end)), *end)
    return [first, clickable(second, "panels.machine")]


def _as_many_as_fit(ranked: Iterable[Fact], width: int, gap: str) -> Line:
    """Return a line of the facts that fit into `width` cells, two spans each; the first that doesn't ends it."""
    line, is_narrow = list[Span](), len(gap) == 1
    for fact in sorted(ranked, key=lambda fact: fact.rank + 2 * (fact.is_list and is_narrow)):  # the best loss first
        label = _NARROW_LABELS.get(fact.label, fact.label) if is_narrow else fact.label
        label, value = fact.short or (label, fact.values[0].text)
        before = (gap if line else "") + (f"{label} " if label else "")
        width -= cell_len(before) + cell_len(value)
        if width < 0:
            break
        line += [Span(before, "label"), Span(value, fact.values[0].style)]
    return tuple(line)


def _curve(view: RunView, width: int) -> str:
    """Return the smoothed train loss of the whole run as blocks of eight heights."""
    losses = view.train_losses
    if not len(losses):
        return ""
    means = losses.columns(losses.first_step, losses.last_step, width).smoothed()
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    heights = (means - low) / max(high - low, 1e-9) * (len(_BLOCKS) - 1)
    return "".join(" " if math.isnan(height) else _BLOCKS[round(height)] for height in heights.tolist())
