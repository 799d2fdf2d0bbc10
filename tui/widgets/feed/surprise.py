"""The surprise of each character, as a step of a scale. Pure; never chooses a colour.

A grapheme (an emoji sequence, a letter with its marks) has the step of its most surprising character.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from rich.cells import split_graphemes

STEP_BITS = (0.5, 1.5, 3.0, 5.0, 7.5)
"""From this many bits, the next step: probabilities of about 71, 35, 12, 3 and 0.6 percent."""
NUM_STEPS = len(STEP_BITS) + 1


def runs_by_surprise(text: str, char_bits: Sequence[float]) -> Iterator[tuple[str, int]]:
    """Yield the runs of `text` in one step, with the step; `char_bits` has a value per code point.

    Text beyond the values, such as the ellipsis of a truncated tweet, is in the lowest step.
    """
    start, step = 0, -1
    for begin, end in _graphemes(text):
        step_here = bisect_right(STEP_BITS, max(char_bits[begin:end], default=0.0))
        if step_here != step:
            if begin > start:
                yield text[start:begin], step
            start, step = begin, step_here
    if start < len(text):
        yield text[start:], step


def _graphemes(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each grapheme."""
    if text.isascii():
        yield from zip(range(len(text)), range(1, len(text) + 1), strict=True)
    else:
        for begin, end, _ in split_graphemes(text)[0]:
            yield begin, end
