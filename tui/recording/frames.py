"""A screen as cells of styled text, and the times at which screens appear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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


def at_even_times(frames: Sequence[TimedFrame], count: int, slot_seconds: float) -> list[TimedFrame]:
    """Return `count` of the frames at even times of the recording, as frames `slot_seconds` apart."""
    first, last = frames[0].seconds, frames[-1].seconds
    picked = []
    for number in range(count):
        until = first + (last - first) * number / max(count - 1, 1)
        latest = max((each for each in frames if each.seconds <= until), key=lambda each: each.seconds)
        picked.append(TimedFrame(number * slot_seconds, latest.frame))
    return picked
