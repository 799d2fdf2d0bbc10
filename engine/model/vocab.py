"""`Vocab`: the characters a model knows, and the numbers it knows them by. Knows no torch.

Four symbols come first, then the characters from the most to the least frequent:

    0 <PAD>   fills a batch; never an input that counts, never a target, never sampled
    1 <BOS>   the first input of every tweet; never a target, never sampled
    2 <EOS>   the last target of every tweet; ends a sample
    3 <UNK>   any character that is not in the vocabulary; never sampled
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.errors import VocabError

PAD: Final = 0
BOS: Final = 1
EOS: Final = 2
UNK: Final = 3
SPECIALS: Final = ("<PAD>", "<BOS>", "<EOS>", "<UNK>")


class Vocab:
    """A fixed, ordered set of characters behind the four special symbols."""

    def __init__(self, chars: Iterable[str]) -> None:
        """Number `chars` from 4 on. Raises `VocabError` unless each is one character and none comes twice."""
        self.itos: tuple[str, ...] = (*SPECIALS, *chars)
        self.stoi: dict[str, int] = {symbol: token_id for token_id, symbol in enumerate(self.itos)}
        chars = self.itos[len(SPECIALS) :]
        if any(len(char) != 1 for char in chars) or len(self.stoi) != len(self.itos):
            raise VocabError("A vocabulary needs single characters, each once.")

    @classmethod
    def from_tweets(cls, tweets: Iterable[str], min_count: int = 1) -> Vocab:
        """Return the vocabulary of all characters that occur at least `min_count` times in `tweets`."""
        counts: Counter[str] = Counter()
        for tweet in tweets:
            counts.update(tweet)
        return cls.from_counts(counts, min_count)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> Vocab:
        """Return the vocabulary of all characters that are counted at least `min_count` times."""
        frequent = [(char, count) for char, count in counts.items() if count >= min_count]
        return cls(char for char, _ in sorted(frequent, key=lambda pair: (-pair[1], pair[0])))

    def __len__(self) -> int:
        """Return V, the special symbols included."""
        return len(self.itos)

    def __eq__(self, other: object) -> bool:
        """Two vocabularies are equal when they give every character the same number."""
        return isinstance(other, Vocab) and self.itos == other.itos

    def __hash__(self) -> int:
        """Hash by the symbols in order."""
        return hash(self.itos)

    @property
    def chars(self) -> tuple[str, ...]:
        """The characters without the special symbols, in the order of their numbers."""
        return self.itos[len(SPECIALS) :]

    def encode(self, text: str) -> list[int]:
        """Return one token_id per character of `text`; an unknown one becomes `UNK`. No `BOS`, no `EOS`."""
        return [self.stoi.get(char, UNK) for char in text]

    def encode_known(self, text: str) -> list[int]:
        """Return `encode(text)`; raises `VocabError` naming the characters that are unknown."""
        unknown = sorted(set(text) - set(self.chars))
        if unknown:
            named = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in unknown[:8])
            raise VocabError(
                f"The vocabulary lacks {named}{' and more' if len(unknown) > 8 else ''}.",
                "Leave it out: this model has never seen it and can't go on from it.",
            )
        return self.encode(text)

    def decode(self, token_ids: Iterable[int]) -> str:
        """Return the characters of `token_ids`; special symbols give none."""
        return "".join(self.itos[token_id] for token_id in token_ids if token_id >= len(SPECIALS))

    @cached_property
    def _table(self) -> npt.NDArray[np.int32]:
        """Token_id by code point, for whole arrays at once: `UNK` where there is no such character."""
        table = np.full(max(map(ord, self.chars), default=0) + 2, UNK, dtype=np.int32)
        table[[ord(char) for char in self.chars]] = range(len(SPECIALS), len(self))
        return table

    def encode_array(self, text: str) -> npt.NDArray[np.int32]:
        """Return `encode(text)` as an array, some 50 times faster; meant for a whole corpus in one string."""
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        return self._table[np.minimum(code_points, len(self._table) - 1)]
