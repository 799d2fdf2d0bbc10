"""The collector leaves alone what a run is made of, and nothing more; afterwards all is as it was."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from engine.collector import heap_frozen


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def _nothing_frozen() -> Iterator[None]:
    was_frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    yield
    if was_frozen:
        gc.freeze()


def test_what_exists_is_not_looked_at_and_what_comes_is_collected() -> None:
    old = Knot()
    with heap_frozen():
        assert not any(each is old for each in gc.get_objects())
        new = weakref.ref(Knot())
        gc.collect()
        assert new() is None
    assert any(each is old for each in gc.get_objects())
    assert gc.get_freeze_count() == 0


def test_what_somebody_else_has_frozen_stays_frozen() -> None:
    old = Knot()
    gc.freeze()
    with heap_frozen():
        new = Knot()
        assert any(each is new for each in gc.get_objects())
    assert gc.get_freeze_count() > 0
    assert not any(each is old for each in gc.get_objects())
