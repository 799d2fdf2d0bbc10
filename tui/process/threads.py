"""Errands: what takes its time is done on a thread of its own.

The thread is a daemon, and nobody waits for it once the errand is cancelled: a file that can't be read to its end must
keep neither the screen from going on nor the program from ending. Only for what writes the program waits a moment at
its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

MAX_WRITING_SECONDS = 1.0
"""How long the end of the program waits for what is being written."""
Result = TypeVar("Result")
_writers: set[threading.Thread] = set()
"""The threads of errands that write."""


async def on_own_thread(function: Callable[[], Result], *, writes: bool = False) -> Result:
    """Return what `function` returns, or raise what it raises; it runs on a daemon thread.

    What `writes` is waited for by `writers_have_ended`.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if future.done():  # cancelled meanwhile
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type] # there is a result where there is no error

    def run() -> None:
        outcome: tuple[Result | None, BaseException | None]
        try:
            outcome = function(), None
        except BaseException as error:  # noqa: BLE001 - it is raised where the errand is awaited
            outcome = None, error
        with contextlib.suppress(RuntimeError):  # the program has ended meanwhile
            loop.call_soon_threadsafe(settle, *outcome)
        _writers.discard(thread)

    thread = threading.Thread(target=run, name="errand", daemon=True)
    if writes:
        _writers.add(thread)
    thread.start()
    return await future


def writers_have_ended(timeout_seconds: float) -> bool:
    """Wait at most so long for the errands that write; return whether all have ended. For any thread."""
    deadline = time.monotonic() + timeout_seconds
    writers = tuple(_writers)
    for thread in writers:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in writers)
