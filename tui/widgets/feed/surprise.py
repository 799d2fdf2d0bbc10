"""How surprised the model was by each character, as a few steps of a scale. Pure: knows no widget and no colour.

A grapheme (an emoji family, a letter with its marks) is one sign on the screen: it has one step, that of its most
surprising character.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from rich.cells import split_graphemes

STEP_BITS = (0.5, 1.5, 3.0, 5.0, 7.5)
"""From this many bits, the next step: likelihoods of about 71, 35, 12, 3 and 0.6 percent."""
NUM_STEPS = len(STEP_BITS) + 1


def runs_by_surprise(text: str, char_bits: Sequence[float]) -> Iterator[tuple[str, int]]:
    """Yield the pieces of `text` that have one step, with it; `char_bits` has one figure for each code point.

    What stands beyond them, such as the ellipsis of a tweet that was cut, is as expected as can be.
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
    """Yield where each grapheme begins and ends."""
    if text.isascii():
        yield from zip(range(len(text)), range(1, len(text) + 1), strict=True)
    else:
        for begin, end, _ in split_graphemes(text)[0]:
            yield begin, end
