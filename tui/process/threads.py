"""Slow work of the screen, each piece on a daemon thread of its own.

A worker of Textual awaits it. `run_worker` must be given an async function, not a coroutine: if the node is removed
before that has begun, Python prints a warning. Nothing waits for the thread once its awaiter is cancelled: a file that
blocks must block neither the screen nor the end of the program. Only threads that write are waited for, a moment, at
the end of the program.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tui.run.connection import to_tweetgen_error

MAX_WRITING_SECONDS = 1.0
"""How long the end of the program waits for threads that write."""
Result = TypeVar("Result")
_writers: set[threading.Thread] = set()
"""The running threads that write."""


async def on_own_thread(function: Callable[[], Result], *, writes: bool = False, doing: str = "") -> Result:
    """Run `function` on a daemon thread; return its result or raise its exception.

    With `doing`, which names the work in the log, it raises only `TweetgenError`. `writers_have_ended` waits for a
    function that `writes`.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(future.set_result, function())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            settle = partial(future.set_exception, to_tweetgen_error(error, doing) if doing else error)
        with contextlib.suppress(RuntimeError):  # the program has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if future.done() else settle())  # the future may be cancelled
        _writers.discard(thread)

    thread = threading.Thread(target=run, name="work", daemon=True)
    if writes:
        _writers.add(thread)
    thread.start()
    return await future


def writers_have_ended(timeout_seconds: float) -> bool:
    """Wait at most `timeout_seconds` for the threads that write; return whether all have ended. For any thread."""
    deadline = time.monotonic() + timeout_seconds
    writers = tuple(_writers)
    for thread in writers:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in writers)
