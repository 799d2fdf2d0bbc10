"""A coroutine waits until its loop has nothing left to do, however long that takes, and for no timer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from tui.app.idle_selector import IdleSelector

FAR_AWAY_SECONDS = 1000.0


def run(main: Callable[[IdleSelector], Coroutine[Any, Any, None]]) -> None:
    selector = IdleSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(main(selector))


def test_all_that_is_ready_runs_before_and_no_timer() -> None:
    done: list[int] = []

    def count(rest: int) -> None:
        done.append(rest)
        if rest:
            asyncio.get_running_loop().call_soon(count, rest - 1)

    async def main(selector: IdleSelector) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(FAR_AWAY_SECONDS, done.append, -1)
        loop.call_soon(count, 50)
        await selector.idle()
        assert done == list(range(50, -1, -1))

    run(main)


def test_several_coroutines_wait_for_the_same_idle_moment() -> None:
    async def main(selector: IdleSelector) -> None:
        await asyncio.gather(selector.idle(), selector.idle())

    run(main)


def test_a_loop_that_nobody_asks_waits_for_threads_as_usual() -> None:
    async def main(selector: IdleSelector) -> None:
        await selector.idle()
        called = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(target=loop.call_soon_threadsafe, args=(called.set,)).start()
        await called.wait()

    run(main)
