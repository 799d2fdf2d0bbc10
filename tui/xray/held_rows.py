"""The next character while a unit is held beside that while it is free. Pure."""

from __future__ import annotations

from engine.protocol.events import CharRead
from tui.text.cells import cell_len
from tui.text.numbers import shown_percent
from tui.xray.glyphs import Glyphs, chance_of, percent
from tui.xray.layout import cut, padded
from tui.xray.spans import Line, Picture, Span

_LABEL_CELLS = 4
_PERCENT_CELLS = 5
_NOTICEABLE_CHANGE = 0.01
_UNKNOWN = "–".rjust(_PERCENT_CELLS)


def held_rows(free: CharRead, held: CharRead, width: int, num_rows: int, glyphs: Glyphs) -> Picture:
    """Return a heading and a row per character: its probability while the unit is free, and while it is held."""
    if num_rows < 1:
        return ()
    before, after = _chances(free), _chances(held)
    chars = sorted(before | after, key=lambda char: -max(before.get(char, 0.0), after.get(char, 0.0)))
    half = max((width - _LABEL_CELLS) // 2, 1)
    heading = (Span(" " * _LABEL_CELLS + "free".ljust(half) + "held", "muted"),)
    rows = []
    for char in chars[: num_rows - 1]:
        label = glyphs.label(char)
        named = (Span(label + " " * (_LABEL_CELLS - cell_len(label)), "good" if char == free.char else "text"),)
        columns = (_column(chances.get(char), half - 1, glyphs) for chances in (before, after))
        left, right = columns
        rows.append((*named, *padded(left, half), *right))
    return tuple(cut(row, width, glyphs) for row in (heading, *rows))


def change_sentence(free: CharRead, held: CharRead, value: float, glyphs: Glyphs) -> str:
    """Return which character's probability changes most while the unit is held at `value`."""
    before, after = _chances(free), _chances(held)
    limits = [min(chance.probability for chance in read.likeliest) for read in (free, held)]

    def change(char: str) -> float:
        """Return by how much the probability changes at least; one not given is at most the lowest given one."""
        if char in before and char in after:
            return abs(after[char] - before[char])
        return before[char] - limits[1] if char in before else after[char] - limits[0]

    char = max(before | after, key=change)
    if change(char) < _NOTICEABLE_CHANGE:
        return f"held at {value:+.2f}, it changes no probability here by 1 % or more"
    is_free, is_held = (
        percent(chances[char]) if char in chances else f"less than {percent(limit)}"
        for chances, limit in zip((before, after), limits, strict=True)
    )
    return f"held at {value:+.2f}, {glyphs.name(char)} has {is_held} here; free, {is_free}"


def _chances(read: CharRead) -> dict[str, float]:
    """Return the known probabilities: those of the most probable characters, and that of the true one."""
    return {chance.char: chance.probability for chance in read.likeliest} | {read.char: chance_of(read.bits)}


def _column(chance: float | None, width: int, glyphs: Glyphs) -> Line:
    """Return a percentage and its bar."""
    if chance is None:
        return (Span(_UNKNOWN, "muted"),)
    bar_cells = max(width - _PERCENT_CELLS - 1, 1)
    return (Span(shown_percent(chance), "value"), Span(" " + glyphs.bar(chance, bar_cells).rstrip(), "bar"))
