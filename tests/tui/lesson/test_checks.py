"""A stop is done only by its deed: each part of it is needed, and nothing is done at the start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.model.vocab import UNK
from tui.lesson.checks import Facts, is_done
from tui.lesson.stops import STOPS

DEEDS: dict[int, dict[str, Any]] = {
    1: {"typed_ids": (4, 9, UNK)},
    2: {"num_parts_seen": 4},
    3: {
        "stepped": frozenset({*range(12), 80}),
        "num_places": 81,
        "trace_difference": 4e-7,
        "has_seen_own_draw": True,
    },
    4: {"overfit_loss": 0.048, "overfit_target": "by heart", "overfit_written": "by heart"},
    5: {"ladder": frozenset({0.0, 0.1, 1.0, 5.0}), "bar_temperatures": frozenset({0.1, 1.0, 5.0})},
    6: {"measured_steps": ((1, 30), (32, 40))},
    7: {"has_restarted": True, "val_bits": 3.6, "bigram_bits": 3.7},
    8: {"views_seen": frozenset({"reach", "units", "map"}), "has_held_unit": True},
}
UNDONE: list[tuple[int, dict[str, Any]]] = [
    (1, {"typed_ids": (4, 9)}),
    (1, {"typed_ids": (UNK,)}),
    (2, {"num_parts_seen": 3}),
    (3, {"stepped": frozenset({0, 80})}),
    (3, {"stepped": frozenset(range(40))}),
    (3, {"trace_difference": 2e-5}),
    (3, {"has_seen_own_draw": False}),
    (4, {"overfit_loss": 0.049}),
    (4, {"overfit_written": "by hear"}),
    (4, {"overfit_target": "", "overfit_written": ""}),
    (5, {"ladder": frozenset({0.1, 1.0, 5.0})}),
    (5, {"bar_temperatures": frozenset({0.1, 1.0, 4.0})}),
    (5, {"bar_temperatures": frozenset({0.2, 1.0, 5.0})}),
    (6, {"measured_steps": ((32, 400),)}),
    (6, {"measured_steps": ((1, 30), (32, 29))}),
    (7, {"has_restarted": False}),
    (7, {"val_bits": 3.7}),
    (7, {"bigram_bits": 0.0}),
    (8, {"views_seen": frozenset({"reach", "units"})}),
    (8, {"has_held_unit": False}),
]


def test_nothing_is_done_at_the_start() -> None:
    assert [stop for stop in DEEDS if is_done(stop, Facts())] == []


@pytest.mark.parametrize("stop", range(1, len(STOPS) + 1))
def test_a_deed_does_its_stop_and_no_other(stop: int) -> None:
    facts = Facts(**DEEDS[stop])
    assert [each for each in DEEDS if is_done(each, facts)] == [stop]


@pytest.mark.parametrize(("stop", "lacking"), UNDONE)
def test_each_part_of_a_deed_is_needed(stop: int, lacking: dict[str, Any]) -> None:
    assert not is_done(stop, replace(Facts(**DEEDS[stop]), **lacking))


def test_a_tweet_shorter_than_a_dozen_places_is_stepped_through_by_all_its_places() -> None:
    facts = replace(Facts(**DEEDS[3]), num_places=3)
    assert is_done(3, replace(facts, stepped=frozenset({0, 1, 2})))
    assert not is_done(3, replace(facts, stepped=frozenset({1, 2})))
