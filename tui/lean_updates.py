"""Send only the cells of a line that were asked to be repainted, not all that stand left of them as well.

Textual (8.2) crops an update of a line on its right only ("TODO: crop to x extents" in `ChopsUpdate`), so that a plot
that changes at its newest column, or a cursor that moves there, costs all the columns before it. This puts the missing
half in. `tests/tui/test_textual_private.py` fails once Textual does it by itself.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control

from tui.textual_private import HAS_CHOPS_UPDATE, ChopsUpdate


def send_only_changed_cells() -> None:
    """Have every app of this process do so."""
    if HAS_CHOPS_UPDATE:
        ChopsUpdate.render_segments = render_cropped  # type: ignore[assignment, method-assign]  # what this is for


def render_cropped(update: ChopsUpdate, console: Console) -> str:
    """Return what brings an update to the terminal."""
    pieces: list[str] = []
    last_line = update.spans[-1][0]
    for y, first, end in update.spans:
        for part_end, (part, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or part >= end or part_end <= first:
                continue
            start = max(part, first)
            pieces.append(Control.move_to(start, y).segment.text)
            pieces.append(strip.crop(start - part, min(part_end, end) - part).render(console))
        if y != last_line:
            pieces.append("\n")
    return "".join(pieces)
