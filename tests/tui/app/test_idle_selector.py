"""A coroutine waits until its loop has nothing left to do, however long that takes, and for no timer."""

from __future__ import annotations

import asyncio
import threading

from tui.app.idle_selector import IdleSelector


def test_all_that_is_ready_runs_before_no_timer_does_and_threads_wake_the_loop_as_usual() -> None:
    selector, done = IdleSelector(), list[int]()

    def count(rest: int) -> None:
        done.append(rest)
        if rest:
            asyncio.get_running_loop().call_soon(count, rest - 1)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(1000.0, done.append, -1)
        loop.call_soon(count, 50)
        await asyncio.gather(selector.idle(), selector.idle())
        assert done == list(range(50, -1, -1))
        called = asyncio.Event()
        threading.Thread(target=loop.call_soon_threadsafe, args=(called.set,)).start()
        await called.wait()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(main())
