"""What was done at each stop, as facts, and whether they amount to its task. Pure: the screen records the facts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from engine.model.vocab import SPECIALS, UNK

NUM_PARTS = 4
"""Stages of the second stop: ids, embedding, GRU, projection."""
MIN_STEPPED = 12
MAX_TRACE_DIFFERENCE = 1e-5
OVERFIT_LOSS = 0.07 * math.log(2)
"""Of the run on one tweet: 0.07 bits per character, in nats."""
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.1, 5.0
COMPARED_BATCHES = (1, 32)
MIN_MEASURED_STEPS = 30
VIEWS_OF_LAST_STOP = frozenset({"reach", "units", "map"})
HELD_ENDS = frozenset({-1.0, 1.0})


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was done and seen since the lesson was opened."""

    typed_ids: tuple[int, ...] = ()
    """The token ids of the typed tweet, without `<BOS>`."""
    num_parts_seen: int = 0
    """Parts of the model that the batch was sent through."""
    stepped: frozenset[int] = frozenset()
    """Places of the traced tweet at which the cursor was."""
    num_places: int = 0
    """Places of that tweet, `<EOS>` included."""
    trace_difference: float = 1.0
    """Between the loss one character at a time and that of the whole tweet at once, nats."""
    has_seen_own_draw: bool = False
    overfit_loss: float = float("inf")
    """The lowest train loss of the overfit run."""
    overfit_target: str = ""
    """The tweet that it is trained on."""
    overfit_written: str = ""
    """The tweet that it wrote last."""
    has_compared_gates: bool = False
    """The gates before training were shown beside, or in place of, those after it."""
    ladder: frozenset[float] = frozenset()
    """Temperatures of the last sampled ladder."""
    bar_temperatures: frozenset[float] = frozenset()
    """Temperatures at which the bars were shown."""
    measured_steps: tuple[tuple[int, int], ...] = ()
    """Batch sizes with the steps measured at each."""
    has_seen_unsorted: bool = False
    """A batch of tweets that are not sorted by length was shown."""
    has_restarted: bool = False
    """The model was set to random weights at the stop on training."""
    val_bits: float = float("inf")
    """The latest validation loss since then, bits per character."""
    bigram_bits: float = 0.0
    """That of the bigram model; 0 before it is measured."""
    views_seen: frozenset[str] = frozenset()
    """Views of the last stop whose answer was shown."""
    held_values: frozenset[float] = frozenset()
    """Values at which a unit was held."""


def _typed(facts: Facts) -> bool:
    ids = facts.typed_ids
    return UNK in ids and any(token_id >= len(SPECIALS) for token_id in ids)


def _sent_through(facts: Facts) -> bool:
    return facts.num_parts_seen >= NUM_PARTS


def _stepped_through(facts: Facts) -> bool:
    is_at_end = facts.num_places > 0 and facts.num_places - 1 in facts.stepped
    num_wanted = min(MIN_STEPPED, facts.num_places)
    agrees = facts.trace_difference <= MAX_TRACE_DIFFERENCE
    return is_at_end and len(facts.stepped) >= num_wanted and agrees and facts.has_seen_own_draw


def _overfitted(facts: Facts) -> bool:
    by_heart = facts.overfit_target != "" and facts.overfit_written == facts.overfit_target
    return by_heart and facts.overfit_loss < OVERFIT_LOSS and facts.has_compared_gates


def _sampled(facts: Facts) -> bool:
    ladder, bars = facts.ladder, facts.bar_temperatures
    both_ends = {LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE}
    return both_ends <= ladder and 0.0 in ladder and both_ends <= bars


def _compared_batches(facts: Facts) -> bool:
    measured = dict(facts.measured_steps)
    are_measured = all(measured.get(size, 0) >= MIN_MEASURED_STEPS for size in COMPARED_BATCHES)
    return are_measured and facts.has_seen_unsorted


def _trained(facts: Facts) -> bool:
    return facts.has_restarted and facts.val_bits < facts.bigram_bits


def _looked_inside(facts: Facts) -> bool:
    return facts.views_seen >= VIEWS_OF_LAST_STOP and facts.held_values >= HELD_ENDS


_CHECKS: tuple[Callable[[Facts], bool], ...] = (
    _typed,
    _sent_through,
    _stepped_through,
    _overfitted,
    _sampled,
    _compared_batches,
    _trained,
    _looked_inside,
)
"""One per stop, in order."""


def is_done(stop: int, facts: Facts) -> bool:
    """Return whether the task of a stop, counted from 1, was done."""
    return _CHECKS[stop - 1](facts)
