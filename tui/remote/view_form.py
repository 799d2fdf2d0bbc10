"""A whole `RunView` as values that JSON knows: what a watcher is told of the time before it came.

Bounded like the view itself: the series in buckets, not every step. The tweets, of which there may be thousands, go
apart, so that no line is long.
"""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec

from engine import events, wire
from engine.errors import TweetgenError
from engine.events import RunFailed, RunFinished
from engine.wire import WireError
from tui.run_view import RunView
from tui.series import Series, SeriesForm

_SERIES = ("train_losses", "learning_rates", "seconds")
_PLAIN = {name: hint for name, hint in get_type_hints(RunView).items() if name not in {*_SERIES, "tweets", "ended"}}


def form_of(view: RunView) -> dict[str, Any]:
    """Return a view, its tweets left out, as dictionaries, lists, numbers and texts."""
    plain = {name: msgspec.to_builtins(getattr(view, name)) for name in _PLAIN}
    series = {name: msgspec.to_builtins(getattr(view, name).form) for name in _SERIES}
    return {
        **plain,
        **series,
        "ended": None if view.ended is None else wire.decode(events.to_json(view.ended), dict[str, Any]),
    }


def view_of(form: dict[str, Any]) -> RunView:
    """Return the view of that form. Raises `WireError` where it is of none."""
    try:
        plain: dict[str, Any] = {name: msgspec.convert(form[name], hint) for name, hint in _PLAIN.items()}
        series: dict[str, Any] = {name: Series.from_form(msgspec.convert(form[name], SeriesForm)) for name in _SERIES}
        ended = None if form["ended"] is None else events.from_json(wire.encode(form["ended"]))
    except (
        KeyError,
        TypeError,
        OverflowError,
        ValueError,
        RecursionError,
        msgspec.MsgspecError,
        TweetgenError,
    ) as error:
        raise WireError(f"no view of a run: {error}") from error
    if ended is not None and not isinstance(ended, RunFinished | RunFailed):
        raise WireError("no view of a run: that is no end")
    return RunView(**plain, **series, ended=ended)
