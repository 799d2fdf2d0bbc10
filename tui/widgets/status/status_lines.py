"""The run in figures, as lines of text: what the status panel paints. Pure functions of a `RunView`.

Two layouts: a column of labels and values, and three full lines whose entries are dropped whole, the least important
first, where they don't fit. No figure is ever cut in the middle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len

from engine.compute.calibration import threads_label
from engine.config.run import SamplingConfig
from engine.text import harmless
from tui.formatting.numbers import (
    format_bits,
    format_count,
    format_duration,
    format_eta,
    format_learning_rate,
    format_loss,
    format_rate,
    format_short,
    format_temperature,
    shortened,
)
from tui.run.eta import eta_of
from tui.run.view import Phase, RunView

Tone = Literal["label", "value", "strong", "good", "bad", "quiet"]

_LABEL_WIDTH = 12
_GAP = "   "
_UNKNOWN = "–"
_BAR_FULL, _BAR_EMPTY = "━", "─"

PHASE_GLYPHS: dict[Phase, str] = {"starting": "○", "training": "▶", "paused": "‖", "finished": "■", "failed": "✗"}
_PHASE_TONES: dict[Phase, Tone] = {
    "starting": "label",
    "training": "good",
    "paused": "strong",
    "finished": "strong",
    "failed": "bad",
}


@dataclass(frozen=True)
class Piece:
    """A stretch of text in one tone."""

    text: str
    tone: Tone


Line = tuple[Piece, ...]


def plain(lines: Iterable[Line]) -> str:
    """Return lines as bare text."""
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in lines)


def column_lines(view: RunView, width: int, height: int) -> list[Line]:
    """Return the column: a label and a value a line, in groups, most important first.

    Groups are set apart by empty lines where all of them fit.
    """
    groups = [
        [_phase_line(view), *_rows(_progress_rows(view), width), *_bar(view, width)],
        _rows(_quality_rows(view), width),
        _rows(_steering_rows(view), width),
        _rows(_facts_rows(view), width),
    ]
    groups = [group for group in groups if group]
    blank: list[Line] = [()] if sum(map(len, groups)) + len(groups) - 1 <= height else []
    lines: list[Line] = []
    for group in groups:
        lines += [*(blank if lines else []), *group]
    return lines


def compact_lines(view: RunView, width: int) -> list[Line]:
    """Return three full lines: progress, then quality and steering, then facts."""
    return [
        _fitted(entries, width) for entries in (_progress_entries(view), _quality_entries(view), _facts_entries(view))
    ]


def _phase_line(view: RunView) -> Line:
    """Return the state with its glyph."""
    return (Piece(f"{PHASE_GLYPHS[view.phase]} {_phase_word(view)}", _PHASE_TONES[view.phase]),)


def _phase_word(view: RunView) -> str:
    """Return what the run is doing, in a word."""
    if view.is_replay:
        return "replay" if view.phase == "training" else f"replay, {view.phase}"
    if not view.is_finishing:
        return view.phase
    return "finishing" if view.phase == "training" else f"{view.phase}, finishing"


def _rows(rows: Iterable[tuple[str, str, Tone]], width: int) -> list[Line]:
    """Return rows of label, value and the value's tone as lines of at most `width` cells."""
    return [
        (Piece(label.ljust(_LABEL_WIDTH), "label"), Piece(shortened(harmless(value), width - _LABEL_WIDTH), tone))
        for label, value, tone in rows
    ]


def _bar(view: RunView, width: int) -> list[Line]:
    """Return a bar of the budget used, where there is one."""
    if view.progress is None:
        return []
    percent = f" {100 * view.progress:3.0f} %"
    cells = max(width - len(percent), 0)
    num_full = int(cells * view.progress)
    return [
        (Piece(_BAR_FULL * num_full, "good"), Piece(_BAR_EMPTY * (cells - num_full), "quiet"), Piece(percent, "value"))
    ]


def _end(view: RunView) -> str:
    """Return when the run ends, in words that follow "ends"."""
    if not view.has_budget:
        return "no limit"
    if view.progress is not None and view.progress >= 1:
        return "now: it is over"
    eta = eta_of(view)
    return f"in {_UNKNOWN}" if eta is None else f"in {format_eta(eta.seconds, eta.spread_seconds)}"


def _progress_rows(view: RunView) -> Iterator[tuple[str, str, Tone]]:
    """Yield how far the run is."""
    yield "step", format_count(view.step), "strong"
    if view.started is not None:
        yield "epoch", f"{view.epoch:.2f}", "value"
        yield "time", format_duration(view.elapsed_seconds), "value"
        if view.ended is None:
            yield "ends", _end(view), "value"


def _quality_rows(view: RunView) -> Iterator[tuple[str, str, Tone]]:
    """Yield how good the model is."""
    if view.smoothed_loss is not None and view.smoothed_bits is not None:
        yield "loss", f"{format_loss(view.smoothed_loss)} nats/char", "strong"
        yield "bits/char", f"{format_bits(view.smoothed_bits)} train", "value"
    if view.last_val is not None:
        yield "", f"{format_bits(view.last_val.bits_per_char)} validation", "value"
    if view.best is not None:
        yield "", f"{format_bits(view.best.bits_per_char)} best, step {format_count(view.best.step)}", "good"


def _steering_rows(view: RunView) -> Iterator[tuple[str, str, Tone]]:
    """Yield what the keys change, and how fast it goes."""
    if view.started is not None:
        yield "speed", format_rate(view.chars_per_second) if view.chars_per_second else _UNKNOWN, "value"
        yield "learn rate", _learning_rate(view, " of "), "value"
        yield from (("batch size", size, "value") for size in _changed_batch_size(view))
    for label, value in sampling_settings(view.sampling):
        yield label, value, "strong" if label == "temperature" else "value"


def _facts_rows(view: RunView) -> Iterator[tuple[str, str, Tone]]:
    """Yield what the run is made of."""
    started = view.started
    if started is None:
        return
    yield "saved", _saved(view), "value"
    yield "device", device_of(view), "value"
    if view.model is not None:
        yield "hidden", f"{view.model.hidden_size} x {view.model.num_layers}", "value"
    yield "parameters", format_count(view.num_parameters), "value"
    yield "corpus", started.corpus, "value"
    yield "tweets", f"{format_count(started.num_train_tweets)} + {format_count(started.num_val_tweets)}", "value"
    yield "run", started.run, "value"


def sampling_settings(sampling: SamplingConfig) -> Iterator[tuple[str, str]]:
    """Yield the temperature, and each other setting that is not as it is by default."""
    yield "temperature", format_temperature(sampling.temperature)
    if sampling.top_k:
        yield "top-k", str(sampling.top_k)
    if sampling.top_p < 1:
        yield "top-p", f"{sampling.top_p:g}"
    if sampling.min_p:
        yield "min-p", f"{sampling.min_p:g}"
    if sampling.prime:
        yield "prime", sampling.prime


def device_of(view: RunView) -> str:
    """Return what the run is computed on."""
    if view.started is None:
        return _UNKNOWN
    return f"{view.started.device} {view.started.precision}, {threads_label(view.num_threads)}"


def _learning_rate(view: RunView, of: str) -> str:
    """Return the learning rate now, and of which highest one, where warm-up, schedule or finish leave less of it."""
    now = format_learning_rate(view.learning_rate)
    highest = format_learning_rate(view.training.learning_rate) if view.training is not None else now
    return now if now == highest else f"{now}{of}{highest}"


def _changed_batch_size(view: RunView) -> Iterator[str]:
    """Yield the batch size where it is not the one that the session began with."""
    now, before = view.training, view.started.training if view.started is not None else None
    if now is not None and before is not None and now.batch_size != before.batch_size:
        yield f"{format_count(now.batch_size)}, was {format_count(before.batch_size)}"


def _saved(view: RunView) -> str:
    """Return the last checkpoint and its step."""
    return "nothing yet" if view.saved is None else f"{view.saved.name}, step {format_count(view.saved.step)}"


Entry = tuple[str, str, Tone]
"""A label (or none), a value, and the value's tone."""


def _progress_entries(view: RunView) -> Iterator[Entry]:
    """Yield the first line's entries, the most important first."""
    yield "", f"{PHASE_GLYPHS[view.phase]} {_phase_word(view)}", _PHASE_TONES[view.phase]
    yield "step", format_count(view.step), "strong"
    if view.started is None:
        return
    yield "epoch", f"{view.epoch:.2f}", "value"
    yield "time", format_duration(view.elapsed_seconds), "value"
    if view.ended is None:
        yield ("", "no limit", "label") if not view.has_budget else ("ends", _end(view), "value")
    if view.chars_per_second:
        yield "", format_rate(view.chars_per_second), "value"


def _quality_entries(view: RunView) -> Iterator[Entry]:
    """Yield the second line's entries, the most important first."""
    if view.smoothed_loss is not None and view.smoothed_bits is not None:
        yield "loss", format_loss(view.smoothed_loss), "strong"
        yield "bits", format_bits(view.smoothed_bits), "value"
    if view.last_val is not None:
        yield "val", format_bits(view.last_val.bits_per_char), "value"
    if view.best is not None:
        yield "best", format_bits(view.best.bits_per_char), "good"
    for label, value in sampling_settings(view.sampling):
        yield ("temp", value, "strong") if label == "temperature" else (label, shortened(value, 20), "value")
    if view.started is not None:
        yield "lr", _learning_rate(view, "/"), "value"
        yield from (("batch", size, "value") for size in _changed_batch_size(view))


def _facts_entries(view: RunView) -> Iterator[Entry]:
    """Yield the third line's entries, the most important first."""
    started = view.started
    if started is None:
        return
    yield "", shortened(started.corpus, 24), "value"
    yield "", f"{format_short(started.num_train_tweets)} tweets", "label"
    yield "", f"{format_short(view.num_parameters)} parameters", "label"
    yield "", device_of(view), "label"
    if view.saved is not None:
        yield "saved", _saved(view), "label"
    yield "run", started.run, "label"


def _fitted(entries: Iterable[Entry], width: int) -> Line:
    """Return the entries that fit into `width` cells, each whole, as one line; what doesn't fit ends the line."""
    pieces: list[Piece] = []
    for label, raw, tone in entries:
        value = harmless(raw)
        prefix = (_GAP if pieces else "") + (f"{label} " if label else "")
        width -= cell_len(prefix) + cell_len(value)
        if width < 0:
            break
        pieces += [Piece(prefix, "label"), Piece(value, tone)]
    return tuple(pieces)
