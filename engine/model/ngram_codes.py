"""The code of a context, the last two or three characters before a prediction, as one int64. Imports no torch.

A token id has 21 bits, enough for all of Unicode, so that a code does not depend on the size of the vocabulary. Codes
of two characters are negative, codes of three are not: so they differ, and those of two are sorted first.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

ID_BITS: Final = 21
_PAIRS_BELOW_ZERO: Final = 1 << 2 * ID_BITS
_MASK: Final = (1 << ID_BITS) - 1


def pair_code(first: Any, last: Any) -> Any:  # noqa: ANN401 - integers, or int64 arrays or tensors of one shape
    """Return the code of two characters by their token ids, `last` before the prediction."""
    return (first << ID_BITS | last) - _PAIRS_BELOW_ZERO


def triple_code(first: Any, middle: Any, last: Any) -> Any:  # noqa: ANN401 - integers, or int64 arrays or tensors
    """Return the code of three characters by their token ids, `last` before the prediction."""
    return first << 2 * ID_BITS | middle << ID_BITS | last


def ids_of_codes(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the token ids of each code (R,), in the order of the text: (R, 3); the first of a pair is -1."""
    is_pair = codes < 0
    codes = codes + np.where(is_pair, _PAIRS_BELOW_ZERO, 0)
    ids = np.stack([codes >> 2 * ID_BITS, codes >> ID_BITS & _MASK, codes & _MASK], axis=1)
    ids[is_pair, 0] = -1
    return ids
