"""`HelpText`: terms with sentences under headings, in one column or two; only the lines in view are rendered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import ClassVar, Literal

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.formatting.cells import wrap
from tui.widgets.help_search import Groups, HelpEntry, found

_TERM_CELLS = 14
_NARROW_TERM_CELLS = 11
_NARROW_CELLS = 60
"""In narrower columns, more terms get a line of their own, and sentences more room."""
_TWO_COLUMNS_CELLS = 130
_GAP = 3
Kind = Literal["heading", "term", "sentence"]
Line = list[tuple[str, Kind]]
"""Texts with the names of their styles."""


class HelpText(ScrollView, can_focus=True):
    """Show the entries that match the query, wrapped to the width.

    With room for two columns, the glossary begins the left one and the keys begin the right one.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"help-text--heading", "help-text--term", "help-text--sentence"}
    DEFAULT_CSS = """
    HelpText {
        height: 1fr;
        background: $surface;
        overflow: hidden scroll;
        scrollbar-size-vertical: 1;
        .help-text--heading { color: $text-primary; text-style: bold; }
        .help-text--term { color: $text-accent; }
        .help-text--sentence { color: $foreground; }
    }
    """

    query_text: reactive[str] = reactive("", init=False)
    """What the entries shown contain; all are shown for an empty text."""

    def __init__(self, glossary: Groups, keys: Groups) -> None:
        """Show the glossary, then the keys."""
        super().__init__()
        self.glossary = glossary
        self.keys = keys
        self._lines: list[Line] = []

    @property
    def num_found(self) -> int:
        """The number of entries shown."""
        groups = (*found(self.glossary, self.query_text).values(), *found(self.keys, self.query_text).values())
        return sum(map(len, groups))

    def watch_query_text(self) -> None:
        """Show the entries that match, from the first on."""
        self._lay_out()
        self.scroll_home(animate=False)

    def on_resize(self) -> None:
        """Wrap the lines again."""
        self._lay_out()

    def _lay_out(self) -> None:
        """Compute all lines."""
        width = self.scrollable_content_region.width
        glossary, keys = found(self.glossary, self.query_text), found(self.keys, self.query_text)
        if width >= _TWO_COLUMNS_CELLS:
            self._lines = _two_columns(glossary, keys, width)
        else:
            self._lines = [
                line
                for heading, entries in (*glossary.items(), *keys.items())
                for line in _group(heading, entries, width)
            ][1:]
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a line in view."""
        row = y + self.scroll_offset.y
        pieces = self._lines[row] if row < len(self._lines) else []
        background = self.rich_style
        strip = Strip(
            [
                Segment(text, background + self.get_component_rich_style(f"help-text--{kind}", partial=True))
                for text, kind in pieces
            ]
        )
        return strip.adjust_cell_length(self.size.width, background)


def _two_columns(glossary: Groups, keys: Groups, width: int) -> list[Line]:
    """Return both side by side; each group of keys goes to the shorter column."""
    column_width = (width - _GAP) // 2
    left = [line for heading, entries in glossary.items() for line in _group(heading, entries, column_width)]
    right: list[Line] = []
    for heading, entries in keys.items():
        shorter = left if len(left) < len(right) else right
        shorter += _group(heading, entries, column_width)
    nothing: Line = []
    return [_side_by_side(*lines, column_width) for lines in zip_longest(left[1:], right[1:], fillvalue=nothing)]


def _side_by_side(left: Line, right: Line, column_width: int) -> Line:
    num_cells = sum(cell_len(text) for text, _ in left)
    return [*left, (" " * (column_width - num_cells + _GAP), "sentence"), *right]


def _group(heading: str, entries: Sequence[HelpEntry], width: int) -> list[Line]:
    """Return an empty line, the heading, and the wrapped entries."""
    term_cells = _TERM_CELLS if width >= _NARROW_CELLS else _NARROW_TERM_CELLS
    lines: list[Line] = [[], [(heading, "heading")]]
    for term, sentence, _ in entries:
        before = term + " " * (term_cells - cell_len(term))
        if cell_len(term) >= term_cells:
            lines.append([(term, "term")])
            before = " " * term_cells
        for start, end in wrap(sentence, max(1, width - term_cells)):
            lines.append([(before, "term"), (sentence[start:end], "sentence")])
            before = " " * term_cells
    return lines
