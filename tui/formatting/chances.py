"""Characters and probabilities as labels, percentages and bars. Pure functions."""

from __future__ import annotations

from functools import lru_cache

from engine.text import sanitize_char
from tui.formatting.cells import cell_len

_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL = "█"


@lru_cache(1024)  # a grid of a batch has thousands of characters, of a vocabulary of some hundred
def shown_char(char: str) -> str:
    """Return a character as a label: "␣" for a space, "end" for none, "U+200D" if it can't be shown.

    Only the first character counts; no vocabulary has longer entries.
    """
    char = char[:1]
    if char in {"", " "}:
        return "␣" if char else "end"
    return char if cell_len(char) and sanitize_char(char) == char else f"U+{ord(char):04X}"


def shown_percent(probability: float) -> str:
    """Return a probability in five cells; only an exact one is "100%"."""
    percent = 100 * probability
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.5 <= percent < 100:
        return f"{min(percent, 99.9):.1f}%"
    return f"{percent:4.0f}%" if percent >= 10 else f"{percent:4.1f}%"


def bar(share: float, width: int) -> str:
    """Return a bar that fills a share, 0 to 1, of `width` cells to an eighth of a cell; padded to `width`."""
    num_eighths = round(min(max(share, 0.0), 1.0) * 8 * width)
    full, rest = divmod(num_eighths, 8)
    return (_FULL * full + (_EIGHTHS[rest] if rest else "")).ljust(width)
