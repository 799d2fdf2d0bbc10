"""`StageHint`: stages and reports before the first step, in the place of the plot. Never measures progress."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from engine.progress import Stage
from engine.text import ELLIPSIS, sanitize_line
from tui.text.cells import shortened, wrap
from tui.text.numbers import format_report

MAX_BAR_CELLS = 40
MAX_REPORT_CELLS = 76
_PERCENT_CELLS = 6
_FRAMES = ("·    ", "· ·  ", "· · ·", "  · ·", "    ·", "     ")
_TICKS_PER_FRAME = 3


class StageHint(Widget):
    """Shows the stage: with a bar if its progress is known, else with a slow pulse.

    A report of the corpus is shown above it, an invitation at the bottom. Repaints only on a change.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "stage-hint--report",
        "stage-hint--stage",
        "stage-hint--done",
        "stage-hint--rest",
        "stage-hint--invitation",
    }
    DEFAULT_CSS = """
    StageHint {
        & > .stage-hint--report { color: $foreground; }
        & > .stage-hint--stage { color: $text-muted; }
        & > .stage-hint--done { color: $primary; }
        & > .stage-hint--invitation { color: $text-accent; }
        & > .stage-hint--rest { color: $foreground 25%; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.border_title = " before training "
        self.invitation = ""
        """What a new user could do instead, on a line of its own where there is room; may be empty."""
        self._stage = Stage("")
        self._percent: int | None = None
        self._pulse = 0

    def show(self, stage: Stage, tick: int) -> None:
        """Show a stage, with the pulse's frame for this tick."""
        percent = None if stage.share is None else round(100 * min(max(stage.share, 0.0), 1.0))
        pulse = tick // _TICKS_PER_FRAME % len(_FRAMES) if percent is None else 0
        shown = (str(self._stage), self._stage.report, self._percent, self._pulse)
        self._stage, self._percent, self._pulse = stage, percent, pulse
        if shown != (str(stage), stage.report, percent, pulse):
            self.refresh()

    def render(self) -> Content:
        """Return report, stage and bar, centred; the report as one block."""
        width, height = self.size
        stage = self._styled("stage", shortened(sanitize_line(str(self._stage)), width))
        lines = [_indented(stage, width), _indented(self._bar(width), width)]
        report = report_lines(self._stage.report, min(width - 2, MAX_REPORT_CELLS), height - len(lines))
        if report:
            indent = max(0, (width - max(map(cell_len, report))) // 2)
            has_room = len(report) + len(lines) < height
            block = [self._styled("report", " " * indent + line) for line in report]
            lines = [*block, *([Content("")] if has_room else []), *lines]
        invitation = shortened(self.invitation, width)
        if invitation and len(lines) + 1 < height:
            lines += [Content(""), _indented(self._styled("invitation", invitation), width)]
        return Content("\n").join(lines[:height])

    def _bar(self, width: int) -> Content:
        """Return the bar with its percentage, or the pulse."""
        if self._percent is None:
            return self._styled("stage", _FRAMES[self._pulse])
        num_cells = max(0, min(MAX_BAR_CELLS, width - _PERCENT_CELLS - 2))
        num_done = num_cells * self._percent // 100
        bar = self._styled("done", "━" * num_done) + self._styled("rest", "─" * (num_cells - num_done))
        return bar + self._styled("stage", f"{self._percent:>{_PERCENT_CELLS - 2}} %")

    def _styled(self, name: str, text: str) -> Content:
        return Content.styled(text, self.get_visual_style(f"stage-hint--{name}"))


def report_lines(report: tuple[str, ...], width: int, max_lines: int) -> list[str]:
    """Return a report wrapped to `width` cells with its indentation; an ellipsis marks lines that don't fit."""
    lines = []
    for entry in format_report(report):
        text = entry.lstrip(" ")
        indent = " " * (len(entry) - len(text))
        lines += [indent + text[start:end] for start, end in wrap(text, max(1, width - len(indent)))]
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], ELLIPSIS] if max_lines > 1 else []
    return lines


def _indented(line: Content, width: int) -> Content:
    """Return a line centred in `width` cells."""
    return Content(" " * max(0, (width - line.cell_length) // 2)) + line
