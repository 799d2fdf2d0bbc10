"""`Contexts`: the last 0 to n characters before each target, as small whole numbers. Exact: nothing is hashed.

A context of length n is the pair of its n - 1 last characters, which already have a number, and the one before them.
Pairs are numbered in sorted order, so that no vocabulary is too large and a number is found by binary search. Only
contexts of the tweets to be predicted are numbered: what else the training tweets hold is never asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.baselines.stream import Numbers, Stream


class Contexts:
    """Every context of 0 to `longest` characters in one stream."""

    def __init__(self, stream: Stream, longest: int, vocab_size: int) -> None:
        """Number them; before each tweet, `stream` has `longest` times `BOS`."""
        self._vocab_size = vocab_size
        self._pairs: list[Numbers] = []
        numbers = np.zeros(len(stream.positions), dtype=np.int64)
        for length in range(1, longest + 1):
            pairs = numbers * vocab_size + stream.token_ids[stream.positions - length]
            distinct, numbers = np.unique(pairs, return_inverse=True)
            self._pairs.append(distinct)

    @property
    def how_many(self) -> list[int]:
        """The number of contexts of each length, from that of length 0 on."""
        return [1, *map(len, self._pairs)]

    def walk(self, stream: Stream) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield for each length, from 0 on, the targets of `stream` behind a known context, and its number for each.

        Both (known,); the targets are token ids, in order.
        """
        positions, numbers = stream.positions, np.zeros(len(stream.positions), dtype=np.int64)
        yield stream.token_ids[positions], numbers
        for length, distinct in enumerate(self._pairs, start=1):
            pairs = numbers * self._vocab_size + stream.token_ids[positions - length]
            found = np.minimum(np.searchsorted(distinct, pairs), len(distinct) - 1)
            is_known = distinct[found] == pairs
            positions, numbers = positions[is_known], found[is_known]
            yield stream.token_ids[positions], numbers
