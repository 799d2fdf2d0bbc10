"""`Vocab`, the characters of a model and their token ids, and the codes of n-gram contexts. Imports no torch.

Four special symbols come first, then the characters from the most to the least frequent; those that were added for
later tweets follow, in the same order:

    0 <PAD>   padding of a batch; never a target, never sampled
    1 <BOS>   first input of every tweet; never a target, never sampled
    2 <EOS>   last target of every tweet; ends a sample
    3 <UNK>   any character outside the vocabulary; never sampled

The last four token ids are the *window* of a place, 16 bits each. The code of a context, the last two, three or four
characters before a prediction, has its ids in the highest bits of an int64, in the order of the text, and zeros after
them. As no context ends in `PAD`, id 0, codes of different lengths differ. 16 bits allow 65,536 ids: all characters of
most scripts, but not all of Unicode. Ids are in descending order of frequency; those beyond count as `UNK`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.errors import VocabError

PAD: Final = 0
BOS: Final = 1
EOS: Final = 2
UNK: Final = 3
SPECIALS: Final = ("<PAD>", "<BOS>", "<EOS>", "<UNK>")
UNKNOWN_CHAR_BITS: Final = 20.0
"""Cost of an unknown character in addition to its `<UNK>`, so that a small vocabulary is no advantage."""


class Vocab:
    """An immutable, ordered set of characters after the four special symbols."""

    def __init__(self, chars: Iterable[str]) -> None:
        """Assign token ids to `chars`, from 4 on. Raises `VocabError` unless all are single, distinct characters."""
        self.itos: tuple[str, ...] = (*SPECIALS, *chars)
        self.stoi: dict[str, int] = {symbol: token_id for token_id, symbol in enumerate(self.itos)}
        chars = self.itos[len(SPECIALS) :]
        if any(len(char) != 1 for char in chars) or len(self.stoi) != len(self.itos):
            raise VocabError("A vocabulary must consist of single, distinct characters.")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> Vocab:
        """Return the vocabulary of all characters with a count of at least `min_count`, most frequent first."""
        frequent = [(char, count) for char, count in counts.items() if count >= min_count]
        return cls(char for char, _ in sorted(frequent, key=lambda pair: (-pair[1], pair[0])))

    def extended_by(self, other: Vocab) -> Vocab:
        """Return this vocabulary with the characters that only `other` has after its own, in the order of `other`."""
        missing = [char for char in other.chars if char not in self.stoi]
        return Vocab((*self.chars, *missing)) if missing else self

    def is_start_of(self, other: Vocab) -> bool:
        """Return whether `other` has the same characters with the same ids, and possibly more after them."""
        return other.itos[: len(self)] == self.itos

    def __len__(self) -> int:
        """Return V, the special symbols included."""
        return len(self.itos)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocab) and self.itos == other.itos

    def __hash__(self) -> int:
        return hash(self.itos)

    @property
    def chars(self) -> tuple[str, ...]:
        """The characters in the order of their ids, without the special symbols."""
        return self.itos[len(SPECIALS) :]

    def encode(self, text: str) -> list[int]:
        """Return one token id per character; an unknown one becomes `UNK`. Adds neither `BOS` nor `EOS`."""
        return [self.stoi.get(char, UNK) for char in text]

    def encode_strict(self, text: str) -> list[int]:
        """Return `encode(text)`. Raises `VocabError`, which names them, if there are unknown characters."""
        unknown = sorted(set(text) - set(self.chars))
        if unknown:
            hint = "Remove it: the model was not trained on it and can't continue from it."
            raise VocabError(f"The vocabulary lacks {named_chars(unknown)}.", hint)
        return self.encode(text)

    def decode(self, token_ids: Iterable[int]) -> str:
        """Return the characters of `token_ids`; special symbols are skipped."""
        return "".join(self.itos[token_id] for token_id in token_ids if token_id >= len(SPECIALS))

    @cached_property
    def _table(self) -> npt.NDArray[np.int32]:
        """Token id by code point, `UNK` for other characters; the last entry stands for all code points beyond."""
        table = np.full(max(map(ord, self.chars), default=0) + 2, UNK, dtype=np.int32)
        table[[ord(char) for char in self.chars]] = range(len(SPECIALS), len(self))
        return table

    def encode_array(self, text: str) -> npt.NDArray[np.int32]:
        """Return `encode(text)` as an array, some 50 times faster, for a whole corpus in one string."""
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        return self._table[np.minimum(code_points, len(self._table) - 1)]


def named_chars(chars: Sequence[str]) -> str:
    """Return some characters with their code points, 8 at most, for an error."""
    named = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in chars[:8])
    return named + (" and more" if len(chars) > 8 else "")


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
