"""An exception as an error for the user, and an error as the last event of a run."""

from __future__ import annotations

from engine.errors import InternalError, TweetgenError
from engine.protocol.events import Event, RunFailed
from engine.storage.folders import home
from engine.storage.log import log_traceback


def to_tweetgen_error(error: BaseException, what: str) -> TweetgenError:
    """Return an exception as a `TweetgenError`; `what` failed, in the log with the traceback of an internal one."""
    if isinstance(error, TweetgenError):
        return error
    where = log_traceback(error, f"{what} ended with an error.", home() / "tweetgen.log", "tui")
    return InternalError(f"{type(error).__name__}: {error}", where)


def failure_event(error: TweetgenError, last: Event | None) -> RunFailed:
    """Return the event that ends a run with an error after its event `last`."""
    return RunFailed(
        step=last.step if last else 0,
        elapsed_seconds=last.elapsed_seconds if last else 0.0,
        title=error.title,
        detail=error.message,
        hint=error.hint,
    )
