"""The collector leaves alone what a run is made of, and nothing more; afterwards all is as it was."""

from __future__ import annotations

import gc
import weakref

from engine.collector import heap_frozen


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.me = self


def test_what_exists_is_not_looked_at_and_what_comes_is_collected() -> None:
    was_frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    old = Knot()
    with heap_frozen():
        assert not any(each is old for each in gc.get_objects())
        new = weakref.ref(Knot())
        gc.collect()
        assert new() is None
    assert any(each is old for each in gc.get_objects())
    assert gc.get_freeze_count() == 0
    if was_frozen:
        gc.freeze()
