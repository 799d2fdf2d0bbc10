"""`StageHint`: stages and reports before the first step, in the place of the plot. Never measures progress."""

from __future__ import annotations

from typing import ClassVar

from engine.protocol.progress import Stage
from engine.text import ELLIPSIS, sanitize_line
from tui.text.cells import Line, Span, cell_len, num_cells, progress_bar, shortened, wrap
from tui.text.numbers import format_report
from tui.widgets.line_view import LineView

_MAX_BAR_CELLS, _PERCENT_CELLS = 40, 6
_MAX_REPORT_CELLS = 76
_FRAMES = ("·    ", "· ·  ", "· · ·", "  · ·", "    ·", "     ")
_TICKS_PER_FRAME = 3
_BLANK = (Span("", "report"),)


class StageHint(LineView):
    """Show the stage: with a bar if its progress is known, else with a slow pulse.

    A report of the corpus is shown above it, an invitation at the bottom.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{style}" for style in ("report", "good", "rule", "invitation")}

    def __init__(self) -> None:
        super().__init__()
        self.border_title = " before training "
        self.invitation = ""
        """What a new user could do instead, on a line of its own where there is room."""
        self._stage, self._pulse = Stage(""), 0

    def show(self, stage: Stage, tick: int) -> None:
        """Show a stage, with the pulse's frame for this tick."""
        self._stage, self._pulse = stage, tick // _TICKS_PER_FRAME % len(_FRAMES)
        self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        """Return report, stage and bar, centred; the report as one block."""
        height, stage = self.size.height, Span(shortened(sanitize_line(str(self._stage)), width), "label")
        below = [_centred((stage,), width), _centred(self._bar(width), width)]
        report = report_lines(self._stage.report, min(width - 2, _MAX_REPORT_CELLS), height - len(below))
        indent = " " * max(0, (width - max(map(cell_len, report), default=0)) // 2)
        lines: list[Line] = [(Span(indent + line, "report"),) for line in report]
        lines += [_BLANK, *below] if report and len(report) + len(below) < height else below
        if self.invitation and len(lines) + 1 < height:
            lines += [_BLANK, _centred((Span(shortened(self.invitation, width), "invitation"),), width)]
        return [()] * max(0, (height - len(lines)) // 2) + lines[:height]

    def _bar(self, width: int) -> Line:
        """Return the bar with its percentage, or the pulse."""
        if self._stage.share is None:
            return (Span(_FRAMES[self._pulse], "label"),)
        percent = round(100 * min(max(self._stage.share, 0.0), 1.0))
        cells = max(0, min(_MAX_BAR_CELLS, width - _PERCENT_CELLS - 2))
        return (*progress_bar(percent / 100, cells), Span(f"{percent:>{_PERCENT_CELLS - 2}} %", "label"))


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


def _centred(line: Line, width: int) -> Line:
    return (Span(" " * max(0, (width - num_cells(line)) // 2), "label"), *line)
