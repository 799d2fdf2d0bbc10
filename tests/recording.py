"""A recording of the real program in a pseudo-terminal: its screens over time, and the same as an asciinema cast.

The screens are those of the emulator of the end-to-end tests, so what is written contains no query to a terminal, no
half-painted frame and only cells that have changed.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyte
from rich.cells import cell_len

from tests.cli.program import kill_processes_in
from tests.e2e.terminal import Terminal

DEADLINE_SECONDS = 900.0
_SAMPLE_SECONDS = 0.1
_WIDE = 2
_HEX = re.compile(r"[0-9a-f]{6}")
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


def record(
    home: Path, *arguments: str, columns: int, rows: int, until: Callable[[str], bool], **options: Any
) -> list[TimedFrame]:
    """Run the program until its text satisfies `until`, return its screens, and quit it; `options` as of `Terminal`.

    Raises `TimeoutError` at the deadline. The program is killed if it does not end.
    """
    terminal = Terminal(home, *arguments, columns=columns, rows=rows, **options)
    frames: list[TimedFrame] = []
    try:
        start = time.monotonic()
        sampled_at = 0.0
        while terminal.pump():
            seconds = time.monotonic() - start
            if seconds > DEADLINE_SECONDS:
                raise TimeoutError(f"on the screen at the deadline:\n{terminal.text}")
            if terminal.is_painting or not terminal.text.strip() or seconds - sampled_at < _SAMPLE_SECONDS:
                continue
            sampled_at = seconds
            frame = frame_of(terminal.screen)
            if not frames or frames[-1].frame != frame:
                frames.append(TimedFrame(seconds, frame))
            if until(terminal.text):
                terminal.press("q")
                terminal.wait_for_exit()
                break
    finally:
        terminal.close()
        kill_processes_in(home)
    return frames


def frame_of(screen: pyte.Screen) -> Frame:
    """Return what the emulator shows."""
    return tuple(_line([screen.buffer[y][x] for x in range(screen.columns)]) for y in range(screen.lines))


def _line(chars: Sequence[pyte.screens.Char]) -> Line:
    """Return the cells of a line; pyte (0.8) keeps half of a character of two cells when the other is overwritten."""
    cells: list[Cell] = []
    for number, char in enumerate(chars):
        is_second = bool(cells) and cell_len(cells[-1][0]) == _WIDE
        is_whole = cell_len(char.data) < _WIDE or (number + 1 < len(chars) and not chars[number + 1].data)
        text = "" if is_second else char.data if char.data and is_whole else " "
        cells.append((text, _style(char)))
    return tuple(cells)


def _style(char: pyte.screens.Char) -> Style:
    colors = [color if _HEX.fullmatch(color) else "" for color in (char.fg, char.bg)]
    foreground, background = reversed(colors) if char.reverse else colors
    return Style(foreground, background, char.bold, char.italics, char.underscore)


def at_even_times(frames: Sequence[TimedFrame], count: int, slot_seconds: float) -> list[TimedFrame]:
    """Return `count` of the frames at even times of the recording, as frames `slot_seconds` apart."""
    first, last = frames[0].seconds, frames[-1].seconds
    picked = []
    for number in range(count):
        until = first + (last - first) * number / (count - 1)
        latest = max((each for each in frames if each.seconds <= until), key=lambda each: each.seconds)
        picked.append(TimedFrame(number * slot_seconds, latest.frame))
    return picked


def to_cast(frames: Sequence[TimedFrame], title: str) -> str:
    """Return the frames as a recording in asciinema's format, version 2."""
    height, width = len(frames[0].frame), len(frames[0].frame[0])
    header = {"version": 2, "width": width, "height": height, "title": title, "env": {"TERM": "xterm-256color"}}
    lines = [json.dumps(header)]
    before: Frame = ((("", Style()),) * width,) * height
    for each in frames:
        output = "".join(_changes(before, each.frame))
        if output:
            output = f"{'' if len(lines) > 1 else chr(27) + '[?25l' + chr(27) + '[2J'}{output}"
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
