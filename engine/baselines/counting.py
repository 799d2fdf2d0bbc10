"""`ValueCounter`, incremental counts of integers, and `NgramCounts`, Witten-Bell probabilities from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.baselines.contexts import IntArray

_SORTED_TOGETHER = 1 << 16
"""Minimum size of a new run: smaller runs take more time in total, larger ones more time at once."""
MAX_TABLE_SIZE = 1 << 21
"""Entries, of 8 bytes each. Adding to a table is some 20 times as fast as sorting."""
_ENTRIES_PER_VALUE = 4
"""Of a table, at most, for the values that are added to it together."""
FloatArray = npt.NDArray[np.float64]


class ValueCounter:
    """Counts of integers in a table, or in sorted arrays, whose memory grows with the number of distinct values."""

    def __init__(self, limit: int) -> None:
        """Start without counts; all values are from 0 to below `limit`."""
        self._table = np.zeros(limit, dtype=np.int64) if limit <= MAX_TABLE_SIZE else None
        self._counted_together = max(_SORTED_TOGETHER, 0 if self._table is None else limit // _ENTRIES_PER_VALUE)
        self._waiting: list[IntArray] = []
        self._runs: list[tuple[IntArray, IntArray]] = []

    def add(self, values: IntArray) -> None:
        """Count all `values`, once enough wait to be counted together."""
        self._waiting.append(values)
        if sum(map(len, self._waiting)) >= self._counted_together:
            self._count_waiting()

    def _count_waiting(self) -> None:
        """Count the waiting values."""
        values = np.concatenate(self._waiting)
        self._waiting.clear()
        if self._table is None:
            self._sort(values)
        else:
            self._table += np.bincount(values, minlength=len(self._table))

    def _sort(self, values: IntArray) -> None:
        """Sort values into a run. Runs are merged once they are less than twice the size of the next."""
        self._runs.append(np.unique(values, return_counts=True))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            self._merge_last_two()

    def finish(self) -> tuple[IntArray, IntArray]:
        """Return the distinct values in order, and their counts."""
        if self._waiting:
            self._count_waiting()
        if self._table is not None:
            values = np.flatnonzero(self._table)
            return values, self._table[values]
        while len(self._runs) > 1:
            self._merge_last_two()
        return self._runs[0] if self._runs else (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    def _merge_last_two(self) -> None:
        """Merge the last two sorted runs."""
        (values, counts), (more_values, more_counts) = self._runs[-2:]
        values = np.concatenate([values, more_values])
        order = np.argsort(values, kind="stable")  # a stable sort detects the two sorted runs and merges them
        values, counts = values[order], np.concatenate([counts, more_counts])[order]
        starts = np.flatnonzero(np.diff(values, prepend=-1))
        self._runs[-2:] = [(values[starts], np.add.reduceat(counts, starts) if len(starts) else counts)]


@dataclass(frozen=True)
class NgramCounts:
    """Counts of the characters that follow each context of one length in the training tweets."""

    vocab_size: int
    grams: IntArray  # (distinct n-grams,): context * vocab_size + next character, sorted
    counts: IntArray  # (distinct n-grams,)
    totals: FloatArray  # (contexts,): occurrences of each context
    num_distinct: FloatArray  # (contexts,): distinct characters after it

    @classmethod
    def of(cls, counter: ValueCounter, num_contexts: int, vocab_size: int) -> NgramCounts:
        """Build from the counted n-grams, each context * vocab_size + next character."""
        grams, counts = counter.finish()
        contexts = grams // vocab_size
        totals = np.bincount(contexts, weights=counts, minlength=num_contexts).astype(np.float64)
        num_distinct = np.bincount(contexts, minlength=num_contexts).astype(np.float64)
        return cls(vocab_size, grams, counts, totals, num_distinct)

    def interpolated(self, shorter: FloatArray, contexts: IntArray, targets: IntArray) -> FloatArray:
        """Return the probability of each target after its context, given that after the context one character shorter.

        p(w | h) = (c(h w) + T(h) p(w | h')) / (c(h) + T(h)), where T(h) is the number of distinct characters after h:
        Witten and Bell (1991), method C, in the interpolated form of Chen and Goodman (1998, TR-10-98). An unseen
        context has the probability of the shorter one. All arrays (targets,).
        """
        grams = contexts * self.vocab_size + targets
        indices = np.searchsorted(self.grams, grams)
        is_known = indices < len(self.grams)
        is_known[is_known] = self.grams[indices[is_known]] == grams[is_known]
        probabilities = self.num_distinct[contexts] * shorter
        probabilities[is_known] += self.counts[indices[is_known]]
        weights = self.totals[contexts] + self.num_distinct[contexts]
        return np.divide(probabilities, weights, out=shorter.copy(), where=weights > 0)
