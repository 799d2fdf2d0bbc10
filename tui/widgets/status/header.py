"""`Header`: the first line of the screen: state, tweets, model, device, time and speed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import ClassVar, get_args

from textual.reactive import reactive

from engine.text import sanitize_line
from tui.run.view import RunPhase, RunView
from tui.text.cells import UNKNOWN, Line, Span, num_cells, padded, shortened
from tui.text.numbers import format_duration, format_rate, format_short
from tui.widgets.line_view import LineView
from tui.widgets.status.facts import device_text, phase_text

_GAP = "   "
_MIN_CELLS_FOR_NAME = 72
_MIN_CELLS_FOR_UNIT = 60
_MAX_CORPUS_CELLS = 28


class Header(LineView):
    """Show a run in one line; what does not fit is left out, the device first."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("line--value", "line--strong"),
        *(f"line--chip-{name}" for name in (*get_args(RunPhase), "badge")),
    }

    badge: reactive[str] = reactive("", init=False)
    """How the screen is attached to the run; "" for a run of this process."""
    watch_badge = LineView.redraw

    def __init__(self) -> None:
        super().__init__()
        self._view = RunView()

    def show(self, view: RunView) -> None:
        self._view = view
        self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        return [header_line(self._view, self.badge, width)]


def header_line(view: RunView, badge: str, width: int) -> Line:
    """Return the state, as much of corpus, model and device as fits, and time and speed at the right end."""
    is_wide = width >= _MIN_CELLS_FOR_NAME
    chip = Span(f" {phase_text(view)} ", f"chip-{view.shown_phase}")
    start: Line = (Span(" tweetgen  ", "strong"), chip) if is_wide else (chip,)
    if badge:
        shown = badge if is_wide else badge.partition(",")[0]
        start = (*start, Span(" ", "label"), Span(f" {shown} ", "chip-badge"))
    end: Line = ()
    if view.started is not None:
        has_unit = width >= _MIN_CELLS_FOR_UNIT
        rate = format_rate(view.chars_per_second) if has_unit else f"{format_short(view.chars_per_second)}/s"
        speed = (rate if view.chars_per_second else UNKNOWN).rjust(len("9.9k chars/s" if has_unit else "9.9k/s"))
        end = (Span(f" {format_duration(view.elapsed_seconds)} ", "strong"), Span(f"{speed} ", "value"))
    room = width - num_cells((*start, *end))
    facts = next((facts for facts in _facts(view, room - 2) if num_cells(facts) + 2 <= room), ())
    return (*padded((*start, *facts), width - num_cells(end)), *end)


def _facts(view: RunView, room: int) -> Iterator[Line]:
    """Yield corpus, model and device, in ever fewer cells."""
    started = view.started
    if started is None:
        return
    name = sanitize_line(started.corpus)
    stem = PurePath(name).stem if "/" not in name else name
    train, validation = f"{started.num_train_tweets:,}", f"{started.num_val_tweets:,}"
    counts = "1 tweet, by heart" if view.is_overfit else f"{train} + {validation}"
    gru = f"GRU {view.model.num_layers}x{view.model.hidden_size}" if view.model is not None else ""
    num_parameters = format_short(view.num_parameters)
    yield _line(
        (name, counts if view.is_overfit else f"{counts} tweets"),
        (gru, f"{view.num_parameters:,} parameters"),
        ("", device_text(view)),
    )
    for counted, *others in (
        (counts, (gru, num_parameters), ("", f"{started.device} {view.precision}")),
        (counts, (gru, num_parameters)),
        (counts, (gru, "")),
        (counts,),
        (format_short(started.num_train_tweets),),
        ("",),
    ):
        short = (shortened(stem, _MAX_CORPUS_CELLS), counted)
        spare = room - num_cells(_line(short, *others))
        yield _line((shortened(stem, _MAX_CORPUS_CELLS + spare), counted) if spare >= 0 else short, *others)


def _line(*facts: tuple[str, str]) -> Line:
    """Return names, each with what belongs to it in a quieter style."""
    spans: list[Span] = []
    for name, detail in facts:
        spans.append(Span(f"{_GAP}{name}", "value"))
        spans += [Span(f"{' ' if name else ''}{detail}", "label")] if detail else []
    return tuple(spans)
