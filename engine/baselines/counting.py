"""How often what followed which: a growing tally, and what Witten and Bell make of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.baselines.contexts import Numbers

Reals = npt.NDArray[np.float64]


class Tally:
    """Counts of whole numbers, kept as sorted arrays: memory goes with how many are distinct, not how many come."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._parts: list[tuple[Numbers, Numbers]] = []

    def add(self, values: Numbers) -> None:
        """Count every one of `values`. Parts are merged when the newer ones outgrow the older: each a few times."""
        self._parts.append(np.unique(values, return_counts=True))
        while len(self._parts) > 1 and len(self._parts[-2][0]) < 2 * len(self._parts[-1][0]):
            self._merge_last_two()

    def finish(self) -> tuple[Numbers, Numbers]:
        """Return the distinct values in order, and how often each came."""
        while len(self._parts) > 1:
            self._merge_last_two()
        return self._parts[0] if self._parts else (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    def _merge_last_two(self) -> None:
        """Make one sorted part of two."""
        (values, counts), (more_values, more_counts) = self._parts[-2:]
        values = np.concatenate([values, more_values])
        order = np.argsort(values, kind="stable")  # finds the two sorted halves and merges them
        values, counts = values[order], np.concatenate([counts, more_counts])[order]
        starts = np.flatnonzero(np.diff(values, prepend=-1))
        self._parts[-2:] = [(values[starts], np.add.reduceat(counts, starts) if len(starts) else counts)]


@dataclass(frozen=True)
class Followers:
    """What followed each context of one length in the training tweets."""

    vocab_size: int
    grams: Numbers  # (distinct grams,): context * vocab_size + follower, sorted
    counts: Numbers  # (distinct grams,)
    totals: Reals  # (contexts,): how often each context came
    kinds: Reals  # (contexts,): how many different characters followed it

    @classmethod
    def of(cls, tally: Tally, num_contexts: int, vocab_size: int) -> Followers:
        """Take the grams that were counted."""
        grams, counts = tally.finish()
        contexts = grams // vocab_size
        totals = np.bincount(contexts, weights=counts, minlength=num_contexts).astype(np.float64)
        kinds = np.bincount(contexts, minlength=num_contexts).astype(np.float64)
        return cls(vocab_size, grams, counts, totals, kinds)

    def interpolated(self, shorter: Reals, contexts: Numbers, targets: Numbers) -> Reals:
        """Return the probability of each target behind its context, given that behind the context one shorter.

        p(w | h) = (c(h w) + T(h) p(w | h')) / (c(h) + T(h)), where T(h) different characters followed h: Witten and
        Bell (1991), method C, in the interpolated form of Chen and Goodman (1998, TR-10-98). A context that never came
        leaves the shorter one's probability as it is. All (targets,).
        """
        wanted = contexts * self.vocab_size + targets
        found = np.searchsorted(self.grams, wanted)
        is_there = found < len(self.grams)
        is_there[is_there] = self.grams[found[is_there]] == wanted[is_there]
        probabilities = self.kinds[contexts] * shorter
        probabilities[is_there] += self.counts[found[is_there]]
        weights = self.totals[contexts] + self.kinds[contexts]
        return np.divide(probabilities, weights, out=shorter.copy(), where=weights > 0)
