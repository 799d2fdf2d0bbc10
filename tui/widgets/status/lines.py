"""Lines of text in named tones, as the status and machine panels paint them. Pure data; never measures a screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len

from tui.formatting.numbers import shortened

Tone = str
"""Component class of `LinePanel` that colours a segment, without its prefix: "label", "value", "strong" ..."""

UNKNOWN = "–"
"""Stands in place of a value that is not measured yet."""
_BAR_FULL, _BAR_EMPTY, _KNOB = "━", "─", "●"


@dataclass(frozen=True)
class LineSegment:
    """Text in one tone."""

    text: str
    tone: Tone


Line = tuple[LineSegment, ...]


def plain(lines: Iterable[Line]) -> str:
    """Return lines as text, without their tones."""
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


def num_cells(line: Iterable[LineSegment]) -> int:
    """Return the width of a line."""
    return sum(cell_len(segment.text) for segment in line)


def padded(line: Line, width: int) -> Line:
    """Return a line filled with spaces to `width` cells."""
    return (*line, LineSegment(" " * max(width - num_cells(line), 0), "label"))


def cut(segments: Iterable[LineSegment], width: int) -> Line:
    """Return segments in at most `width` cells; an ellipsis marks what is missing."""
    line: list[LineSegment] = []
    for segment in segments:
        text = shortened(segment.text, width)
        if text:
            line.append(LineSegment(text, segment.tone))
        width -= cell_len(text)
    return tuple(line)


def progress_bar(share: float, width: int) -> Line:
    """Return a bar of which `share`, 0 to 1, is filled."""
    num_full = int(max(width, 0) * share)
    return LineSegment(_BAR_FULL * num_full, "good"), LineSegment(_BAR_EMPTY * (width - num_full), "rule")


def slider(share: float, width: int) -> Line:
    """Return a slider with its knob at `share`, 0 to 1."""
    place = round((width - 1) * min(share, 1.0))
    return (
        LineSegment(_BAR_FULL * place, "label"),
        LineSegment(_KNOB, "strong"),
        LineSegment(_BAR_EMPTY * (width - 1 - place), "rule"),
    )
