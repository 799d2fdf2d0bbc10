"""A text with one column per symbol that the model reads, for rows that are aligned with it.

Unlike the strip, a column is a code point: one that belongs to the character before it, such as a combining mark or
a part of an emoji sequence, has a column of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tui.text.cells import cell_len, safe_chars, split_graphemes
from tui.xray.glyphs import Glyphs


def symbols(text: str, glyphs: Glyphs, *, has_ended: bool = True) -> tuple[str, ...]:
    """Return the symbols of a text as they are drawn, each one or two cells wide: `<BOS>`, the characters, the end."""
    shown = [glyphs.bos]
    text = safe_chars(text)
    for begin, end, _ in split_graphemes(text)[0]:
        first = text[begin]
        shown.append(first if cell_len(first) else _part(first, glyphs))
        shown.extend(_part(char, glyphs) for char in text[begin + 1 : end])
    return (*shown, glyphs.eos if has_ended else glyphs.ellipsis)


def _part(char: str, glyphs: Glyphs) -> str:
    """Return a code point that is no character of its own: a combining mark on its placeholder, others without."""
    marked = glyphs.part + char
    is_mark = unicodedata.category(char)[0] == "M" and not glyphs.part.isascii()
    return marked if is_mark and cell_len(marked) == 1 else glyphs.part


def window(cells: Sequence[int], cursor: int, width: int) -> range:
    """Return the columns that fit in `width`: those around the cursor, as many as possible; none if it does not fit."""
    if not 0 <= cursor < len(cells) or cells[cursor] > width:
        return range(0)
    first, last = cursor, cursor + 1
    room = width - cells[cursor]
    while True:
        before = cells[first - 1] if first > 0 else width + 1
        after = cells[last] if last < len(cells) else width + 1
        takes_before = before <= room and (cursor - first <= last - 1 - cursor or after > room)
        if takes_before:
            first, room = first - 1, room - before
        elif after <= room:
            last, room = last + 1, room - after
        else:
            return range(first, last)
