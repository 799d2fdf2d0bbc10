"""Probabilities of the next character as bars: `ChanceLine` on one line, `ChanceBars` as a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from engine.protocol.events import CharChance
from tui.text.cells import bar, shown_char
from tui.text.numbers import shown_percent

LABEL_CELLS = 3
_CELLS_BESIDE_BAR = LABEL_CELLS + 8
"""In a list: mark and space, label and space, percent."""
_CELLS_BESIDE_BAR_IN_LINE = 9
"""Label, mostly one cell, and space, percent, gap to the next."""
_MIN_BAR, _MAX_BAR = 2, 10
_MIN_CHARS_IN_LINE = 3
"""Facts beyond the first leave a narrow line to this many characters."""
_ACTUAL_GLYPH = "▸"


class ChanceWidget(Widget):
    """Base of line and list: styles, and a character with bar and percent."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chance--char",
        "chance--bar",
        "chance--percent",
        "chance--actual",
        "chance--problem",
    }
    DEFAULT_CSS = """
    ChanceWidget {
        .chance--char { color: $foreground; text-style: bold; }
        .chance--bar { color: $primary; }
        .chance--percent { color: $text-muted; }
        .chance--actual { color: $text-accent; text-style: bold; }
        .chance--problem { color: $text-warning; }
    }
    """

    def _styled(self, text: str, kind: str) -> Content:
        return Content.styled(text, self.get_visual_style(f"chance--{kind}"))

    def _bar_entry(self, label: str, chance: CharChance, bar_cells: int, label_kind: str = "char") -> Content:
        """Return a label with bar and percent."""
        return (
            self._styled(label, label_kind)
            + self._styled(bar(chance.probability, bar_cells), "bar")
            + self._styled(shown_percent(chance.probability), "percent")
        )


class ChanceLine(ChanceWidget):
    """The likeliest characters that fit on a line, and facts at its end; or an error in their place."""

    DEFAULT_CSS = "ChanceLine { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[tuple[CharChance, ...], tuple[str, ...], str] = ((), (), "")

    def show(self, chances: tuple[CharChance, ...], facts: tuple[str, ...], problem: str = "") -> None:
        """Show characters, the likeliest first, and facts, the most important first; or an error."""
        if (chances, facts, problem) != self._shown:
            self._shown = (chances, facts, problem)
            self.refresh()

    def render(self) -> Content:
        """Return the line."""
        chances, all_facts, problem = self._shown
        width = self.size.width
        if problem:
            return self._styled(f" {problem}", "problem")
        cells_each = _CELLS_BESIDE_BAR_IN_LINE + _MIN_BAR
        facts = " · ".join(all_facts)
        while len(all_facts) > 1 and width - cell_len(facts) - 2 < _MIN_CHARS_IN_LINE * cells_each:
            all_facts = all_facts[:-1]
            facts = " · ".join(all_facts)
        num_cells = width - cell_len(facts) - 2
        count = min(len(chances), max(num_cells // cells_each, 1))
        line = Content(" ")
        if count:
            bar_cells = min(max(num_cells // count - _CELLS_BESIDE_BAR_IN_LINE, _MIN_BAR), _MAX_BAR)
            for chance in chances[:count]:
                entry = self._bar_entry(f"{shown_char(chance.char)} ", chance, bar_cells) + "  "
                line += entry if line.cell_length + entry.cell_length <= num_cells + 2 else ""
        num_blanks = width - line.cell_length - cell_len(facts) - 1
        return line + self._styled(" " * num_blanks + facts, "percent") if num_blanks >= 0 else line


class ChanceBars(ChanceWidget):
    """A row for each of the likeliest characters; the actual one is marked, in the last row if it is none of them."""

    DEFAULT_CSS = "ChanceBars { height: auto; }"

    def __init__(self, num_rows: int) -> None:
        super().__init__()
        self._num_rows = num_rows
        self._chances: tuple[CharChance, ...] = ()
        self._actual: CharChance | None = None

    def show(self, chances: Sequence[CharChance], actual: CharChance | None) -> None:
        """Show the likeliest characters, and mark the actual one."""
        rows = tuple(chances[: self._num_rows])
        if actual is not None and actual.char not in {chance.char for chance in rows}:
            rows = (*rows[: self._num_rows - 1], actual)
        if (rows, actual) != (self._chances, self._actual):
            self._chances, self._actual = rows, actual
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return the number of rows even while they are empty, so that the layout does not jump."""
        return self._num_rows

    def render(self) -> Content:
        """Return the rows."""
        bar_cells = max(self.size.width - _CELLS_BESIDE_BAR, _MIN_BAR)
        actual = None if self._actual is None else self._actual.char
        lines = []
        for chance in self._chances:
            is_actual = chance.char == actual
            mark = self._styled(f"{_ACTUAL_GLYPH} " if is_actual else "  ", "actual")
            label = shown_char(chance.char)
            label += " " * (LABEL_CELLS + 1 - cell_len(label))
            lines.append(mark + self._bar_entry(label, chance, bar_cells, "actual" if is_actual else "char"))
        return Content("\n").join(lines)
