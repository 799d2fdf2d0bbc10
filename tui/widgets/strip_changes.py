"""`changed_cells`: which part of a line differs from the last time. Over ssh only that is sent. Pure."""

from __future__ import annotations

from textual.strip import Strip


def changed_cells(old: Strip, new: Strip) -> tuple[int, int] | None:
    """Return where the second line differs from the first, end excluded; all of it where characters are wide."""
    if old == new:
        return None
    before, after = ([(char, segment.style) for segment in line for char in segment.text] for line in (old, new))
    if len(before) != len(after) or len(after) != new.cell_length:
        return (0, new.cell_length)
    different = [x for x, (was, now) in enumerate(zip(before, after, strict=True)) if was != now]
    return (different[0], different[-1] + 1) if different else None
