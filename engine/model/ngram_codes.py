"""The code of a context, the last two, three or four characters before a prediction, as one int64. Imports no torch.

The last four token ids are the *window* of a place, 16 bits each. A context's code has its ids in the highest bits, in
the order of the text, and zeros after them. As no context ends in `PAD`, id 0, codes of different lengths differ.

**Limit.** 65,536 ids: all characters of most scripts, but not all of Unicode. Ids are in descending order of frequency;
those beyond count as `UNK` in a context.
"""

from __future__ import annotations

from typing import Any, Final

from engine.model.vocab import UNK

ORDERS: Final = (2, 3, 4)
"""Lengths of the contexts, in characters."""
LONGEST: Final = ORDERS[-1]
ID_BITS: Final = 16
NUM_IDS: Final = 1 << ID_BITS
EMPTY_WINDOW: Final = 0
"""The window before a tweet, four times `PAD`."""


def appended(window: Any, token_id: Any) -> Any:  # noqa: ANN401 - int64: numbers, or arrays or tensors of one shape
    """Return the window after one more character."""
    return window << ID_BITS | token_id - (token_id - UNK) * (token_id >= NUM_IDS)


def context_code(window: Any, order: int) -> Any:  # noqa: ANN401 - as of `appended`
    """Return the code of the last `order` characters of a window."""
    return window << ID_BITS * (LONGEST - order)
