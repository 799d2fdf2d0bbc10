"""Any exception as an error for the user; the traceback of an internal one is written to the log."""

from __future__ import annotations

from engine.errors import InternalError, TweetgenError
from engine.storage.folders import home
from engine.storage.run_log import log_traceback


def to_tweetgen_error(error: BaseException, what: str) -> TweetgenError:
    """Return an exception as a `TweetgenError`; `what` failed, in the log with the traceback of an internal one."""
    if isinstance(error, TweetgenError):
        return error
    where = log_traceback(error, f"{what} ended with an error.", home() / "tweetgen.log", "tui")
    return InternalError(f"{type(error).__name__}: {error}", where)
