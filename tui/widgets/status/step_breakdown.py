"""How the time of a training step divides into its parts, and what the screen costs. Pure; never reads a clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from engine.protocol.events import StepTimes
from tui.formatting.numbers import format_milliseconds, shortened
from tui.run.view import RunView
from tui.widgets.status.lines import Line, LineSegment, Tone
from tui.widgets.status.view_text import num_ranks

LABEL_CELLS = 11
VALUE_CELLS, PERCENT_CELLS = 9, 7
_BAR = "━"
_PARTS = ("data", "forward", "backward", "optimizer", "waiting", "sampling", "evaluation", "saving")
_DEVICE_PARTS = ("data", "forward", "waiting", "sampling", "evaluation", "saving")
"""On a GPU the whole step is one part and counted as forward."""


@dataclass(frozen=True, kw_only=True)
class ScreenCost:
    """What the screen itself costs, as rates over an interval."""

    core_share: float
    """Share of one core, 0 to 1."""
    bytes_per_second: float | None
    """Written to the terminal; None if the driver counts no bytes."""


@dataclass(frozen=True)
class UsageCounters:
    """Counters of CPU time of the screen's thread, and of its output, at one moment."""

    seconds: float
    core_seconds: float
    num_bytes: int | None

    def cost_since(self, before: UsageCounters) -> ScreenCost | None:
        """Return the rates since `before`; None if no time has passed."""
        seconds = self.seconds - before.seconds
        if seconds <= 0:
            return None
        bytes_per_second = None
        if self.num_bytes is not None and before.num_bytes is not None:
            bytes_per_second = (self.num_bytes - before.num_bytes) / seconds
        core_share = (self.core_seconds - before.core_seconds) / seconds
        return ScreenCost(core_share=min(core_share, 1.0), bytes_per_second=bytes_per_second)


@dataclass(frozen=True, kw_only=True)
class StepPart:
    """One part of a step."""

    name: str
    seconds: float
    """Per step."""
    percent: int
    """Of the step; rounded so that all parts add up to 100."""


@dataclass(frozen=True, kw_only=True)
class StepBreakdown:
    """Average times of the last half minute."""

    step: str
    """Time of a whole step."""
    rate: str
    parts: tuple[StepPart, ...]
    num_graphs: int | None = None
    """CUDA graphs that replace steps; None on a device without graphs."""

    @classmethod
    def of(cls, view: RunView) -> StepBreakdown:
        """Return the breakdown for a view; before the first measurement, the time of a whole step without its parts."""
        num_steps, seconds = sum(times.num_steps for times in view.times), sum(times.seconds for times in view.times)
        if not num_steps or seconds <= 0:
            steps, seconds = view.step - view.paced_from_step, view.elapsed_seconds - view.paced_from_seconds
            return cls._whole(steps, seconds, {})
        is_on_device = view.started is not None and view.started.device != "cpu"
        totals = {part: _total(view.times, part) for part in (_DEVICE_PARTS if is_on_device else _PARTS)}
        if num_ranks(view) == 1:
            del totals["waiting"]
        totals["other"] = max(seconds - sum(totals.values()), 0.0)
        if is_on_device:
            totals = {"steps" if part == "forward" else part: value for part, value in totals.items()}
        return replace(cls._whole(num_steps, seconds, totals), num_graphs=view.times[-1].num_graphs)

    @classmethod
    def _whole(cls, num_steps: int, seconds: float, totals: dict[str, float]) -> StepBreakdown:
        """Return the breakdown of some steps that took `seconds` together."""
        if num_steps <= 0 or seconds <= 0:
            return cls(step="no step yet", rate="", parts=())
        percents = rounded_percents(list(totals.values()))
        return cls(
            step=format_milliseconds(seconds / num_steps).rjust(VALUE_CELLS),
            rate=f"  {_rate(num_steps / seconds)}",
            parts=tuple(
                StepPart(name=name, seconds=value / num_steps, percent=percent)
                for (name, value), percent in zip(totals.items(), percents, strict=True)
            ),
        )

    def _head(self, width: int) -> Line:
        """Return the line of the whole step, with the rate if it fits."""
        has_room = LABEL_CELLS + cell_len(self.step + self.rate) <= width
        return row("step", (self.step, "strong"), (self.rate if has_room else "", "label"))

    def _graphs(self) -> list[tuple[str, str]]:
        """Return name and value of the number of graphs, where there can be any."""
        return [] if self.num_graphs is None else [("CUDA graphs", f"{self.num_graphs:,}")]

    def lines(self, width: int) -> list[Line]:
        """Return a line per part: time, share, bar."""
        return [
            self._head(width),
            *(share_line(part.name, format_milliseconds(part.seconds), part.percent, width) for part in self.parts),
            *(row(name, (count.rjust(VALUE_CELLS), "value")) for name, count in self._graphs()),
        ]

    def packed_lines(self, width: int) -> list[Line]:
        """Return as many parts per line as fit, with their shares only."""
        facts = [*((part.name, f"{part.percent} %") for part in self.parts), *self._graphs()]
        lines: list[Line] = [self._head(width)]
        room = 0
        for name, value in facts:
            segments = (LineSegment(f"{name} ", "label"), LineSegment(f"{value}  ", "value"))
            cells = sum(cell_len(segment.text) for segment in segments)
            if cells - 2 > room:
                lines.append(())
                room = width
            lines[-1] = (*lines[-1], *segments)
            room -= cells
        return lines


def row(label: str, *values: tuple[str, Tone]) -> Line:
    """Return a label, padded, and the values after it."""
    return (LineSegment(label.ljust(LABEL_CELLS), "label"), *(LineSegment(text, tone) for text, tone in values))


def _total(times: Sequence[StepTimes], part: str) -> float:
    return float(sum(getattr(each, f"{part}_seconds") for each in times))


def _rate(steps_per_second: float) -> str:
    return f"{steps_per_second:.{0 if steps_per_second >= 10 else 1}f} steps/s"


def rounded_percents(values: Sequence[float]) -> list[int]:
    """Return each value's percentage of their sum, as integers that add up to 100 (method of the largest remainder)."""
    total = sum(values)
    exact = [100 * value / total for value in values]
    percents = [math.floor(percent) for percent in exact]
    by_remainder = sorted(range(len(values)), key=lambda number: percents[number] - exact[number])
    for number in by_remainder[: 100 - sum(percents)]:
        percents[number] += 1
    return percents


def share_line(name: str, value: str, percent: int, width: int, note: str = "") -> Line:
    """Return name, value, percentage and bar, or a note in place of the bar."""
    shown = shortened(value, VALUE_CELLS).rjust(VALUE_CELLS)
    room = max(width - LABEL_CELLS - VALUE_CELLS - PERCENT_CELLS - 1, 0)
    bar = _BAR * min(round(percent / 100 * room), room)
    end: tuple[str, Tone] = (f" {shortened(note, room)}", "label") if note else (f" {bar}", "good")
    return row(name, (shown, "value"), (f"{percent} %".rjust(PERCENT_CELLS), "label"), end)
