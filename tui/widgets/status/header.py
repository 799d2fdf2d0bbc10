"""`Header`: the first line of the screen: state, tweets, model, device, time and speed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import ClassVar, get_args

from rich.cells import cell_len

from engine.text import sanitize_line
from tui.run.view import RunPhase, RunView
from tui.text.cells import UNKNOWN, Line, Span, shortened
from tui.text.numbers import format_count, format_duration, format_rate, format_short
from tui.widgets.line_view import LinePanel
from tui.widgets.status.facts import device_text, phase_text

_GAP = "   "
_MIN_CELLS_FOR_NAME = 72
_MIN_CELLS_FOR_UNIT = 60
_MAX_CORPUS_CELLS = 28

Fact = tuple[str, str]
"""A name, and what belongs to it in a quieter tone; either may be empty."""


class Header(LinePanel):
    """Shows a `RunView` in one line; what does not fit is left out, the device first."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line-panel--chip-{name}" for name in (*get_args(RunPhase), "badge")}
    DEFAULT_CSS = """
    Header {
        height: 1;
        background: $surface;
        & > .line-panel--chip-starting { background: $secondary; color: $background; text-style: bold; }
        & > .line-panel--chip-training { background: $success; color: $background; text-style: bold; }
        & > .line-panel--chip-paused { background: $warning; color: $background; text-style: bold; }
        & > .line-panel--chip-finished { background: $primary; color: $background; text-style: bold; }
        & > .line-panel--chip-badge { background: $secondary; color: $background; text-style: bold; }
        & > .line-panel--chip-failed { background: $error; color: $background; text-style: bold; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._view = RunView()
        self._badge = ""

    def show(self, view: RunView) -> None:
        """Show `view`."""
        self._view = view
        self.show_lines()

    def show_badge(self, badge: str) -> None:
        """Show how the screen is attached to its run; empty for a run of this process."""
        if badge != self._badge:
            self._badge = badge
            self.show_lines()

    def lines_for(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 - one line at any height
        """Return the line."""
        return [header_line(self._view, self._badge, width)]


def header_line(view: RunView, badge: str, width: int) -> Line:
    """Return the state, as much of corpus, model and device as fits, and time and speed at the right end."""
    is_wide = width >= _MIN_CELLS_FOR_NAME
    start = [
        *([Span(" tweetgen  ", "strong")] if is_wide else []),
        Span(f" {phase_text(view)} ", f"chip-{view.shown_phase}"),
    ]
    if badge:
        badge = badge if is_wide else badge.partition(",")[0]
        start += [Span(" ", "label"), Span(f" {badge} ", "chip-badge")]
    end = _clock(view, width)
    room = width - sum(cell_len(segment.text) for segment in (*start, *end))
    facts = next((facts for facts in _facts(view) if _num_cells(facts) + 2 <= room), [])
    if facts and facts[0][0] == _short_name(view):
        facts[0] = (_short_name(view, _MAX_CORPUS_CELLS + room - 2 - _num_cells(facts)), facts[0][1])
    for name, detail in facts:
        start.append(Span(f"{_GAP}{name}", "value"))
        start += [Span(f"{' ' if name else ''}{detail}", "label")] if detail else []
    num_between = width - sum(cell_len(segment.text) for segment in (*start, *end))
    return (*start, Span(" " * max(num_between, 0), "label"), *end)


def _clock(view: RunView, width: int) -> list[Span]:
    """Return training time and speed."""
    if view.started is None:
        return []
    is_narrow, speed = width < _MIN_CELLS_FOR_UNIT, UNKNOWN
    if view.chars_per_second:
        speed = f"{format_short(view.chars_per_second)}/s" if is_narrow else format_rate(view.chars_per_second)
    return [
        Span(f" {format_duration(view.elapsed_seconds)} ", "strong"),
        Span(f"{speed.rjust(len('9.9k/s' if is_narrow else '9.9k chars/s'))} ", "value"),
    ]


def _num_cells(facts: list[Fact]) -> int:
    return sum(len(_GAP) + cell_len(f"{name} {detail}".strip()) for name, detail in facts)


def _short_name(view: RunView, num_cells: int = _MAX_CORPUS_CELLS) -> str:
    """Return the name of the tweets without its suffix, in at most that many cells."""
    name = "" if view.started is None else sanitize_line(view.started.corpus)
    return shortened(PurePath(name).stem if "/" not in name else name, num_cells)


def _facts(view: RunView) -> Iterator[list[Fact]]:
    """Yield corpus, model and device, in ever fewer cells."""
    started, model = view.started, view.model
    if started is None:
        return
    name = sanitize_line(started.corpus)
    short_name = _short_name(view)
    train, validation = format_count(started.num_train_tweets), format_count(started.num_val_tweets)
    counts = "1 tweet, by heart" if view.is_overfit else f"{train} + {validation}"
    whole = counts if view.is_overfit else f"{counts} tweets"
    gru = f"GRU {model.num_layers}x{model.hidden_size}" if model is not None else ""
    num_parameters = format_short(view.num_parameters)
    device = f"{started.device} {view.precision}"
    yield [
        (name, whole),
        (gru, f"{format_count(view.num_parameters)} parameters"),
        ("", device_text(view)),
    ]
    yield [(short_name, counts), (gru, num_parameters), ("", device)]
    yield [(short_name, counts), (gru, num_parameters)]
    yield [(short_name, counts), (gru, "")]
    yield [(short_name, counts)]
    yield [(short_name, format_short(started.num_train_tweets))]
    yield [(short_name, "")]
