"""Screens, as cells of styled text, and a recording of them in asciinema's format, version 2.

The format: docs.asciinema.org/manual/asciicast/v2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

_START = "\x1b[?25l\x1b[2J"
"""Hides the cursor and clears the terminal of the player."""
_END = "\x1b[0m\x1b[{row};1H\x1b[?25h"
"""Restores the colours and shows the cursor, below the picture; in a terminal of the same height, on its last line."""
_MAX_UNCHANGED_CELLS = 6
"""Between two changes of a line, written again: fewer characters than moving the cursor."""


@dataclass(frozen=True)
class Style:
    """How a cell is drawn. A colour is six hexadecimal digits, or "" for the terminal's own."""

    foreground: str = ""
    background: str = ""
    is_bold: bool = False
    is_italic: bool = False
    is_underlined: bool = False


Cell = tuple[str, Style]
"""A character and its style; the cell after a character of two cells is empty."""
Line = tuple[Cell, ...]
Frame = tuple[Line, ...]


@dataclass(frozen=True)
class TimedFrame:
    """A screen, and the seconds since the beginning at which it appeared."""

    seconds: float
    frame: Frame


def to_cast(frames: Sequence[TimedFrame], title: str) -> str:
    """Return the frames as a recording in asciinema's format, version 2."""
    height, width = len(frames[0].frame), len(frames[0].frame[0])
    header = {"version": 2, "width": width, "height": height, "title": title, "env": {"TERM": "xterm-256color"}}
    lines = [json.dumps(header)]
    before: Frame = ((("", Style()),) * width,) * height
    for each in frames:
        output = "".join(_changes(before, each.frame))
        if len(lines) == 1:
            output = _START + output
        if each is frames[-1]:
            output += _END.format(row=height + 1)
        if output:
            lines.append(json.dumps([round(each.seconds, 2), "o", output], ensure_ascii=False))
        before = each.frame
    return "\n".join(lines) + "\n"


def _changes(before: Frame, after: Frame) -> Iterator[str]:
    """Yield the control sequences and texts that turn a screen into another."""
    style = None
    for y, (old, new) in enumerate(zip(before, after, strict=True)):
        for start, end in _changed_cells(old, new):
            yield f"\x1b[{y + 1};{start + 1}H"
            for next_style, cells in groupby(new[start:end], key=lambda cell: cell[1]):
                yield _sgr(style, next_style)
                style = next_style
                yield "".join(data for data, _ in cells)


def _changed_cells(old: Line, new: Line) -> list[tuple[int, int]]:
    """Return the ranges of the changed cells; a character of two cells is in one range."""
    ranges: list[tuple[int, int]] = []
    for x in (x for x in range(len(new)) if old[x] != new[x]):
        start = x if new[x][0] else x - 1
        end = x + 2 if x + 1 < len(new) and not new[x + 1][0] else x + 1
        if ranges and start - ranges[-1][1] <= _MAX_UNCHANGED_CELLS:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
        else:
            ranges.append((start, end))
    return [(start - (not new[start][0]), end) for start, end in ranges]


def _sgr(before: Style | None, after: Style) -> str:
    """Return the control sequence from one style to another."""
    if before == after:
        return ""
    codes = []
    if before is None or _attributes(before) != _attributes(after):
        codes += ["0", *_attributes(after)]
        before = Style()
    for kind, old, new in (
        ("38", before.foreground, after.foreground),
        ("48", before.background, after.background),
    ):
        if old != new:
            codes.append(f"{kind};2;{';'.join(map(str, bytes.fromhex(new)))}" if new else f"{kind[0]}9")
    return f"\x1b[{';'.join(codes)}m"


def _attributes(style: Style) -> list[str]:
    attributes = (("1", style.is_bold), ("3", style.is_italic), ("4", style.is_underlined))
    return [code for code, is_on in attributes if is_on]
