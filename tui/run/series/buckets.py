"""`Buckets`: a history in intervals of steps, each as its lowest, highest, total and count. Immutable arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Buckets:
    """Consecutive intervals of a history; bucket `n` contains the steps from `n * stride` up to the next bucket's."""

    numbers: Ints
    low: Floats
    high: Floats
    total: Floats
    count: Ints

    def __len__(self) -> int:
        """Return the number of buckets; empty ones are not stored."""
        return len(self.numbers)

    def __getitem__(self, inside: slice) -> Buckets:
        """Return a slice of the buckets."""
        return Buckets(
            self.numbers[inside], self.low[inside], self.high[inside], self.total[inside], self.count[inside]
        )

    def concatenate(self, other: Buckets) -> Buckets:
        """Return these buckets followed by the others, not merged at the seam."""
        return Buckets(
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.low, other.low]),
            np.concatenate([self.high, other.high]),
            np.concatenate([self.total, other.total]),
            np.concatenate([self.count, other.count]),
        )

    def numbered_by(self, numbers: Ints) -> Buckets:
        """Return these buckets with other numbers."""
        return Buckets(numbers, self.low, self.high, self.total, self.count)

    def merged_by(self, numbers: Ints) -> Buckets:
        """Merge the buckets with equal `numbers`, one for each bucket, in rising order."""
        if not len(self):
            return self
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        return Buckets(
            numbers[starts],
            np.minimum.reduceat(self.low, starts),
            np.maximum.reduceat(self.high, starts),
            np.add.reduceat(self.total, starts),
            np.add.reduceat(self.count, starts),
        )


def single_buckets(numbers: Ints, values: Floats) -> Buckets:
    """Return one bucket per value."""
    return Buckets(numbers, values, values, values, np.ones(len(values), np.int64))
