"""A recording of the real program in a pseudo-terminal: its screens over time.

The screens are those of the emulator of the end-to-end tests, so what is written contains no query to a terminal, no
half-painted frame and only cells that have changed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyte
from rich.cells import cell_len

from tests.cli.program import kill_processes_in
from tests.e2e.terminal import Terminal
from tui.files.cast import Cell, Frame, Line, Style, TimedFrame

DEADLINE_SECONDS = 900.0
_SAMPLE_SECONDS = 0.1
_WIDE = 2
_HEX = re.compile(r"[0-9a-f]{6}")


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


def at_even_times(frames: Sequence[TimedFrame], count: int, slot_seconds: float) -> list[TimedFrame]:
    """Return `count` of the frames at even times of the recording, as frames `slot_seconds` apart."""
    first, last = frames[0].seconds, frames[-1].seconds
    picked = []
    for number in range(count):
        until = first + (last - first) * number / max(count - 1, 1)
        latest = max((each for each in frames if each.seconds <= until), key=lambda each: each.seconds)
        picked.append(TimedFrame(number * slot_seconds, latest.frame))
    return picked


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
