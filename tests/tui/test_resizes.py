"""A storm of changes of size: the screen hears of the latest, ten times a second at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.fakes import FakeClock
from tui.driver import SpacedCalls

SECONDS = 0.1


class ManualLoop(asyncio.SelectorEventLoop):
    """A loop whose delayed calls are made by hand."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.delayed: list[tuple[float, Callable[[], None]]] = []

    def call_soon_threadsafe(self, callback, *args, context=None):  # type: ignore[no-untyped-def, override] # noqa: ANN001, ANN002, ANN201 - as asyncio
        callback(*args)

    def call_later(self, delay, callback, *args, context=None):  # type: ignore[no-untyped-def, override] # noqa: ANN001, ANN002, ANN201 - as asyncio
        self.delayed.append((self.clock() + delay, callback))

    def run_delayed(self) -> None:
        """Go on to the time of the next delayed call, and make it."""
        due, callback = self.delayed.pop(0)
        self.clock.now = max(due, self.clock.now)
        callback()


def test_of_calls_in_a_storm_only_the_latest_is_made_and_each_at_its_time() -> None:
    clock = FakeClock(100.0)
    loop = ManualLoop(clock)
    calls = SpacedCalls(loop, SECONDS, clock)
    made: list[tuple[float, int]] = []
    for number in range(300):
        calls.call(lambda number=number: made.append((clock(), number)))  # type: ignore[misc] # the usual way to bind
        if number % 100 == 99:
            loop.run_delayed()
    assert not loop.delayed
    assert [number for _, number in made] == [99, 199, 299]
    assert [round(seconds, 6) for seconds, _ in made] == [100.0, 100.1, 100.2]
    clock.advance(3600.0)
    calls.call(lambda: made.append((clock(), 300)))
    loop.run_delayed()
    assert made[-1] == (3700.2, 300)
    loop.close()
