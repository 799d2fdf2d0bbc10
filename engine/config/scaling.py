"""Which new model learns most in some seconds on a CPU: its size, its batches, and with what batches it begins.

The bits per character that a model has after a number of characters follow a law, `Law`, fitted to runs
(docs/recipes.md; `python -m tests.auto_law` fits it again). How many characters it sees in the seconds depends on the
speed of training, which is measured on the machine, or assumed by a rule. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

CHARS_PER_TWEET = 75
FIRST_CHARS = 600_000
"""Characters of the tweets that may come in smaller batches at first (`engine.corpus.batches.FIRST_TWEETS`)."""
CHARS_PER_SECOND = 75_000.0
"""Training speed of the smallest size by rule: that of one thread in float32."""
RULE_BATCH_SIZE = 32
"""The batch size where speeds are not measured."""
MEASURED_BATCH_SIZES = (64, 8)
"""Those of the steps that are timed."""


class Size(NamedTuple):
    """A candidate for the size of a model."""

    hidden_size: int
    num_layers: int

    @property
    def work(self) -> int:
        """Multiplications of a character by the recurrent weights, but for a factor."""
        return self.num_layers * self.hidden_size**2


SIZES = (Size(256, 1), Size(256, 2), Size(384, 2), Size(512, 2))
"""In the order of their work."""
BATCH_SIZES = (16, 32, 64, 128)
FIRST_BATCH_SIZES = (0, 8, 16)
"""Sizes of the first batches; 0: as later."""


# The speed ------------------------------------------------------------------------------------------------------------
_LEAST_POWER = 0.8
"""The seconds of a step grow at least with this power of a size's work."""


@dataclass(frozen=True, kw_only=True)
class StepSeconds:
    """The seconds of a step, which grow linearly with the tweets in it; infinite for a model that does not fit."""

    fixed: float = 0.0
    per_tweet: float

    @classmethod
    def by_rule(cls, size: Size) -> StepSeconds:
        """Return those of one thread in float32, where a character costs the same in batches of any size."""
        return cls(per_tweet=CHARS_PER_TWEET / CHARS_PER_SECOND * max(1.0, size.work / SIZES[0].work))

    @classmethod
    def measured(cls, speeds: Sequence[float]) -> StepSeconds:
        """Return those of these speeds, in characters per second, in batches of `MEASURED_BATCH_SIZES`."""
        if not all(speeds):
            return cls(per_tweet=math.inf)
        [large, small] = MEASURED_BATCH_SIZES
        [of_large, of_small] = (
            tweets * CHARS_PER_TWEET / speed for tweets, speed in zip(MEASURED_BATCH_SIZES, speeds, strict=True)
        )
        per_tweet = min(max((of_large - of_small) / (large - small), 0.0), of_large / large)
        return cls(fixed=of_large - large * per_tweet, per_tweet=per_tweet)

    def at_least_for(self, size: Size, other: Size) -> StepSeconds:
        """Return the least that steps of a size may take, if these are the seconds of the `other`, a smaller one."""
        factor = math.pow(size.work / other.work, _LEAST_POWER)
        return StepSeconds(fixed=factor * self.fixed, per_tweet=factor * self.per_tweet)

    def chars_per_second(self, batch_size: int) -> float:
        """Return the speed in batches of this size."""
        return batch_size * CHARS_PER_TWEET / (self.fixed + batch_size * self.per_tweet)


# The law --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Law:
    """The bits per character on held-out tweets after a run that ends in a cooldown.

    The form is that of Hoffmann et al. 2022 (arXiv:2203.15556), with the worth of repeated tweets as in Muennighoff et
    al. 2023 (arXiv:2305.16264), and with steps at the start that teach as much with few tweets as with many, as in
    McCandlish et al. 2018 (arXiv:1812.06162).
    """

    least_bits: float
    of_size: float
    size_power: float
    of_chars: float
    chars_power: float
    lost_steps: float
    """Steps at the start of the narrowest model that teach as much with few tweets as with many."""
    lost_power: float
    """How they grow with its width: its learning rate is lower."""
    worth: float
    """The n-th epoch teaches exp(-(n - 1) / `worth`) times as much as the first one."""

    def expected_bits(self, size: Size, batch_size: int, num_chars: float, num_train_chars: float) -> float:
        """Return the bits after `num_chars` characters, in epochs of `num_train_chars`."""
        lost_steps = self.lost_steps * math.pow(size.hidden_size / SIZES[0].hidden_size, self.lost_power)
        taught = max(num_chars - lost_steps * batch_size * CHARS_PER_TWEET, _LEAST_TAUGHT * num_chars, 1.0)
        repeated = taught / num_train_chars - 1
        if repeated > 0:
            taught = num_train_chars * (1 + self.worth * (1 - math.exp(-repeated / self.worth)))
        ratio = size.work / SIZES[0].work
        of_size = self.of_size * math.pow(ratio, -(self.size_power if ratio > 1 else _POWER_OF_SMALLER))
        return self.least_bits + of_size + self.of_chars * math.pow(taught / 1e6, -self.chars_power)


_POWER_OF_SMALLER = 0.5
"""`Law.size_power` of sizes below the smallest candidate, which a user may set: H 128 has 0.046 bits more than 256."""
_LEAST_TAUGHT = 0.2
"""Share of the characters that teach in a run that ends within the steps that are lost."""
LAW = Law(
    least_bits=1.0504,
    of_size=0.0490,
    size_power=2,
    of_chars=1.3578,
    chars_power=0.1,
    lost_steps=120,
    lost_power=1.5,
    worth=2,
)
"""Fitted to the runs of docs/recipes.md."""


def learning_rate_of(size: Size, batch_size: int) -> float:
    """Return the peak learning rate: lower for a wider model, and higher with the root of the batch size up to 128."""
    of_size = math.pow(min(1.0, SIZES[0].hidden_size / size.hidden_size), 1.2)
    return float(f"{0.004 * of_size * math.sqrt(min(batch_size, BATCH_SIZES[-1]) / RULE_BATCH_SIZE):.2g}")


# The plan -------------------------------------------------------------------------------------------------------------
_WORDS_CHARS, _WORDS_POWER = 80_000, 0.55
"""Characters in batches of 8 until about two thirds of the words in sampled tweets are known, and how they grow with
the batches."""
_WORDS_WEIGHT = 0.3
"""Bits per character that the wait for these words counts, if it is as long as the run."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A way to spend the seconds of a run."""

    size: Size
    batch_size: int
    first_batch_size: int
    """Tweets per step at first; 0: as later."""
    num_chars: float
    """Characters that are trained on."""
    cost: float
    """What is to be least: the expected bits per character, and the wait for the first words."""


def best_plan(
    sizes: Sequence[Size],
    batches: Sequence[tuple[int, int]],
    seconds: float,
    num_train_chars: float,
    speeds_of: Callable[[Size], Sequence[float] | None] | None,
) -> Plan:
    """Return the best plan for a run of so many seconds.

    `sizes` are the candidates, from the smallest on; `batches` those for the size of batches, and of the first ones.
    `speeds_of` returns the characters per second of a size in batches of `MEASURED_BATCH_SIZES`, or None if there is no
    time left to measure; without it, speeds are those by rule. The smallest size is measured first, and then always the
    one that would be best if its steps took the least that they may.
    """
    known: dict[Size, StepSeconds] = {}

    def steps_of(size: Size) -> StepSeconds:
        if size in known:
            return known[size]
        smaller = max((each for each in known if each.work <= size.work), key=lambda each: each.work)
        return known[smaller].at_least_for(size, smaller)

    candidates, best = sizes, sizes[0]
    while True:
        speeds = None if speeds_of is None else speeds_of(best)
        if speeds is not None:
            known[best] = StepSeconds.measured(speeds)
        elif known:
            candidates = list(known)
        else:
            known = {size: StepSeconds.by_rule(size) for size in sizes}
        plans = [
            _plan(size, batch_size, first, seconds, num_train_chars, steps_of(size))
            for size, (batch_size, first) in product(candidates, batches)
        ]
        plan = min(plans, key=lambda each: each.cost)
        if plan.size in known:
            return plan
        best = plan.size


def _plan(
    size: Size, batch_size: int, first_batch_size: int, seconds: float, num_train_chars: float, steps: StepSeconds
) -> Plan:
    """Return the plan with these choices, whose steps take so long."""
    first = first_batch_size or batch_size
    speed, first_speed = steps.chars_per_second(batch_size), steps.chars_per_second(first)
    first_chars = min(FIRST_CHARS, seconds * first_speed) if first_batch_size else 0.0
    num_chars = first_chars + (seconds - first_chars / first_speed if first_chars else seconds) * speed
    words_chars = _WORDS_CHARS * (first / MEASURED_BATCH_SIZES[1]) ** _WORDS_POWER
    words_seconds = words_chars / first_speed if first_speed else math.inf
    return Plan(
        size=size,
        batch_size=batch_size,
        first_batch_size=first_batch_size,
        num_chars=num_chars,
        cost=LAW.expected_bits(size, batch_size, num_chars, num_train_chars) + _WORDS_WEIGHT * words_seconds / seconds,
    )
