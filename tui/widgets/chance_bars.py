"""Probabilities of the next character as bars: `ChanceLine` on one line, `ChanceBars` as a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.protocol.events import CharChance
from tui.text.cells import Line, Span, bar, cell_len, num_cells, shown_char
from tui.text.numbers import shown_percent
from tui.widgets.line_view import LineView

_LABEL_CELLS = 3
_CELLS_BESIDE_BAR = _LABEL_CELLS + 8
"""Width beside a bar of `ChanceBars`: mark and space, label and space, percent."""
_CELLS_BESIDE_BAR_IN_LINE = 9
"""Width beside a bar of `ChanceLine`: label, mostly one cell, and space, percent, gap to the next."""
_MIN_BAR, _MAX_BAR = 2, 10
_MIN_CHARS_IN_LINE = 3
"""Facts beyond the first leave a narrow line to this many characters."""
_STYLES = {f"line--{style}" for style in ("char", "bar", "percent", "actual", "problem")}


def _entry(label: str, chance: CharChance, bar_cells: int, style: str = "char") -> Line:
    bar_span, percent = Span(bar(chance.probability, bar_cells), "bar"), shown_percent(chance.probability)
    return Span(label, style), bar_span, Span(percent, "percent")


class ChanceLine(LineView):
    """The likeliest characters that fit on a line, and facts at its end; or an error in their place."""

    COMPONENT_CLASSES: ClassVar[set[str]] = _STYLES

    def __init__(self) -> None:
        super().__init__()
        self._chances, self._facts, self._problem = tuple[CharChance, ...](), tuple[str, ...](), ""

    def show(self, chances: tuple[CharChance, ...], facts: tuple[str, ...], problem: str = "") -> None:
        """Show characters, the likeliest first, and facts, the most important first; or an error."""
        self._chances, self._facts, self._problem = chances, facts, problem
        self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        if self._problem:
            return [(Span(f" {self._problem}", "problem"),)]
        cells_each = _CELLS_BESIDE_BAR_IN_LINE + _MIN_BAR
        rows = [" · ".join(self._facts[:count]) for count in range(len(self._facts), 1, -1)]
        rows = [row for row in rows if width - cell_len(row) - 2 >= _MIN_CHARS_IN_LINE * cells_each]
        facts = rows[0] if rows else "".join(self._facts[:1])
        room = width - cell_len(facts) - 2
        line: Line = (Span(" ", "percent"),)
        if count := min(len(self._chances), max(room // cells_each, 1)):
            bar_cells = min(max(room // count - _CELLS_BESIDE_BAR_IN_LINE, _MIN_BAR), _MAX_BAR)
            for chance in self._chances[:count]:
                longer = (*line, *_entry(f"{shown_char(chance.char)} ", chance, bar_cells), Span("  ", "percent"))
                line = longer if num_cells(longer) <= room + 2 else line
        num_blanks = width - num_cells(line) - cell_len(facts) - 1
        return [(*line, Span(" " * num_blanks + facts, "percent")) if num_blanks >= 0 else line]


class ChanceBars(LineView):
    """A row for each of the likeliest characters; the actual one is marked, in the last row if it is none of them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = _STYLES

    def __init__(self, num_rows: int) -> None:
        super().__init__()
        self.styles.height = num_rows  # also while they are empty, so that the layout does not jump
        self._num_rows = num_rows
        self._chances = tuple[CharChance, ...]()
        self._actual: str | None = None

    def show(self, chances: Sequence[CharChance], actual: CharChance | None) -> None:
        """Show the likeliest characters, and mark the actual one."""
        self._chances = tuple(chances[: self._num_rows])
        self._actual = None if actual is None else actual.char  # "" is the end
        if actual is not None and actual.char not in {chance.char for chance in self._chances}:
            self._chances = (*self._chances[: self._num_rows - 1], actual)
        self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        bar_cells = max(width - _CELLS_BESIDE_BAR, _MIN_BAR)
        lines: list[Line] = []
        for chance in self._chances:
            mark, style = ("▸ ", "actual") if chance.char == self._actual else ("  ", "char")
            label = shown_char(chance.char)
            label += " " * (_LABEL_CELLS + 1 - cell_len(label))
            lines.append((Span(mark, "actual"), *_entry(label, chance, bar_cells, style)))
        return lines
