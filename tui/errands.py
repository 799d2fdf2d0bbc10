"""Errands: what takes its time is done on a thread of its own, and what it raises becomes two lines for a person.

The thread is a daemon, and nobody waits for it once the errand is cancelled: a file that can't be read to its end must
keep neither the screen from going on nor the program from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from engine.errors import InternalError, TweetgenError
from engine.folders import home
from engine.log import log_traceback

Result = TypeVar("Result")


async def on_own_thread(function: Callable[[], Result]) -> Result:
    """Return what `function` returns, or raise what it raises; it runs on a daemon thread."""
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

    threading.Thread(target=run, name="errand", daemon=True).start()
    return await future


def as_told(error: BaseException, what: str) -> TweetgenError:
    """Return what there is to tell the user of any error; the traceback of one that is our mistake goes to the log."""
    if isinstance(error, TweetgenError):
        return error
    where = log_traceback(error, f"{what} ended with an error.", home() / "tweetgen.log", "tui")
    return InternalError(f"{type(error).__name__}: {error}", where)
