"""Groups laid out on pages of one or more columns. Pure: a group that does not fit goes to a later page, never lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tui.formatting.cells import cell_len
from tui.widgets.status.groups import Group
from tui.widgets.status.lines import Line, LineSegment, num_cells, padded

MIN_COLUMN_CELLS = 34
_GAP_CELLS = 3
_MIN_FLEXIBLE_ROWS = 8
"""A group whose lines depend on the room goes to the next page rather than into less."""

MakeGroup = Callable[[int, int], Group]
"""Returns a group for a width and the number of lines that there is room for."""


@dataclass(frozen=True)
class Page:
    """The groups of a page, and those of other pages."""

    columns: tuple[tuple[Line, ...], ...]
    names: tuple[str, ...]


def column_cells(width: int) -> int:
    """Return the width of a column on a page of that width."""
    num_columns = max((width + _GAP_CELLS) // (MIN_COLUMN_CELLS + _GAP_CELLS), 1)
    return (width - _GAP_CELLS * (num_columns - 1)) // num_columns


def paged(groups: Sequence[Group | MakeGroup], width: int, height: int) -> list[Page]:
    """Return the groups on as few pages as they need in this order; several leave the last row free for a sign."""
    pages = _filled(groups, width, height)
    return pages if len(pages) == 1 else _filled(groups, width, max(height - 1, 2))


def page_lines(pages: Sequence[Page], number: int, width: int, height: int, key: str) -> list[Line]:
    """Return the lines of a page; in the last row, what the other pages show and the key that turns to them."""
    page, cells = pages[number], column_cells(width)
    num_rows = height if len(pages) == 1 else height - 1
    lines: list[Line] = []
    for row in range(num_rows):
        line: Line = ()
        for place, column in enumerate(page.columns):
            line = padded(line, place * (cells + _GAP_CELLS)) if place else line
            line += column[row] if row < len(column) else ()
        lines.append(line)
    if len(pages) > 1:
        order = [*pages[number + 1 :], *pages[:number]]
        lines.append(sign([name for each in order for name in each.names], width, key))
    return lines


def sign(names: Sequence[str], width: int, key: str) -> Line:
    """Return a line that counts and names what is not shown: "+3 more: machine, model and data  h"."""
    names = list(dict.fromkeys(names))
    room = width - cell_len(key) - 2
    texts = [f"+{len(names)} more: {', '.join(names[:count])}" for count in range(len(names), 0, -1)]
    texts = [texts[0], *(f"{text} …" for text in texts[1:]), f"+{len(names)} more"]
    text = next((text for text in texts if cell_len(text) <= room), "")
    return LineSegment(text, "label"), LineSegment("  ", "label"), LineSegment(key, "key")


def _filled(groups: Sequence[Group | MakeGroup], width: int, height: int) -> list[Page]:
    """Fill pages of `height` rows column by column."""
    cells = column_cells(width)
    num_columns = (width + _GAP_CELLS) // (cells + _GAP_CELLS)
    columns: list[list[Line]] = [[]]
    names: list[list[str]] = [[]]
    for each in groups:
        for group in _pieces(each, cells, height, height - len(columns[-1]) - bool(columns[-1])):
            needed = len(group.lines) + 1 + bool(columns[-1])
            if columns[-1] and len(columns[-1]) + needed > height:
                columns.append([])
                names.append([])
            lines = columns[-1]
            lines += [()] if lines else []
            lines += [_heading(group, cells), *group.lines]
            names[-1].append(group.name)
    starts = range(0, len(columns), num_columns)
    return [
        Page(
            tuple(tuple(column) for column in columns[start : start + num_columns]),
            tuple(name for column in names[start : start + num_columns] for name in column),
        )
        for start in starts
    ]


def _pieces(group: Group | MakeGroup, cells: int, height: int, room: int) -> list[Group]:
    """Return a group in pieces of at most `height` rows; `room` is what is left of the column."""
    if not isinstance(group, Group):
        group = group(cells, (room if room > _MIN_FLEXIBLE_ROWS else height) - 1)
    num_lines = height - 1
    starts = range(0, len(group.lines), num_lines)
    return [Group(group.name, group.lines[start : start + num_lines], group.note) for start in starts]


def _heading(group: Group, cells: int) -> Line:
    """Return the heading of a group, its rule and its note."""
    note = f" {group.note}" if group.note else ""
    heading: Line = (LineSegment(f"{group.name} ", "heading"),)
    rule = "─" * max(cells - num_cells(heading) - len(note), 0)
    return (*heading, LineSegment(rule, "rule"), LineSegment(note, "label"))
