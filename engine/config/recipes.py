"""The models that `auto` chooses among, with the budgets that each is for. Imports no torch.

The measurements behind these numbers are in docs/recipes.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CHARS_PER_SECOND = 75_000.0
"""Training speed of the smallest recipe for a CPU by rule; converts a budget in steps or epochs to seconds."""
_HIDDEN_SIZE_LIMITS = {1_000_000: 256, 3_000_000: 384}
"""Largest hidden size for a corpus of fewer characters than the key."""
MIN_CHARS_FOR_TWO_LAYERS = 300_000
"""A smaller corpus has a model of one layer."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of `auto` for some budgets."""

    hidden_size: int
    num_layers: int
    learning_rate: float
    batch_size: int = 32
    min_chars: float = 0.0
    """Smallest budget, in characters, from which on no smaller model learns more in the same time."""
    chars_per_second: float = 0.0
    """Training speed on a CPU by rule: that of one thread in float32."""


FOR_CPU = (
    Recipe(hidden_size=256, num_layers=1, learning_rate=0.004, chars_per_second=CHARS_PER_SECOND),
    Recipe(min_chars=5e6, hidden_size=256, num_layers=2, learning_rate=0.004, chars_per_second=35_000),
    Recipe(min_chars=9e6, hidden_size=384, num_layers=2, learning_rate=0.002, chars_per_second=16_000),
    Recipe(min_chars=2.8e7, hidden_size=512, num_layers=2, learning_rate=0.0015, chars_per_second=9_500),
)
"""Smallest model first. The largest one's limit is a guess, the others are between budgets that were tried."""
FOR_DEVICES = (
    Recipe(min_chars=5.6e7, hidden_size=1024, num_layers=1, learning_rate=0.002, batch_size=128),
    Recipe(min_chars=2.8e7, hidden_size=512, num_layers=2, learning_rate=0.002, batch_size=128),
    Recipe(min_chars=4e6, hidden_size=384, num_layers=2, learning_rate=0.002, batch_size=128),
    Recipe(hidden_size=256, num_layers=1, learning_rate=0.004, batch_size=128),
)
"""Largest model first. The budgets are about 9 characters per weight, as between the models for a CPU."""
RULE_SPEEDS = {"cuda": 1e6, "mps": 33_000.0}
"""Assumed where speed is not measured. MPS runs a GRU step by step: the model's size hardly matters."""
WITHOUT_BUDGET_SECONDS = 180.0
"""Budget assumed where none is set: its recipe is good after three minutes, and still improves later."""


def hidden_size_limit(num_train_chars: int) -> float:
    """Return the largest hidden size for a corpus of that many characters."""
    return min((size for limit, size in _HIDDEN_SIZE_LIMITS.items() if num_train_chars < limit), default=math.inf)
