"""A whole `RunView` as JSON values: the run before a client attached.

Bounded like the view itself: the series in buckets, not every step. The tweets, of which there may be thousands, are
sent in messages of their own, so that no line is long.
"""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.errors import TweetgenError
from engine.protocol import codec, events
from engine.protocol.codec import DecodeError
from engine.protocol.events import RunFailed, RunFinished
from tui.run.view import RunView

_FIELDS = {name: hint for name, hint in get_type_hints(RunView).items() if name not in {"tweets", "ended"}}
"""All but the tweets, and the end, which is an event of one of two types."""


def encode_view(view: RunView) -> dict[str, Any]:
    """Return a view without its tweets as dictionaries, lists, numbers and strings."""
    form = {name: msgspec.to_builtins(getattr(view, name), enc_hook=np.ndarray.tolist) for name in _FIELDS}
    return {**form, "ended": None if view.ended is None else codec.decode(codec.encode(view.ended), dict[str, Any])}


def decode_view(form: dict[str, Any]) -> RunView:
    """Return the view that `encode_view` encoded. Raises `DecodeError`."""
    try:
        if not _is_bounded(form):
            raise DecodeError("not a view of a run: a number is out of range")
        fields = {name: msgspec.convert(form[name], hint, dec_hook=_array) for name, hint in _FIELDS.items()}
        ended = None if form["ended"] is None else events.from_json(codec.encode(form["ended"]))
    except (KeyError, TypeError, OverflowError, ValueError, msgspec.MsgspecError, TweetgenError) as error:
        raise DecodeError(f"not a view of a run: {error}") from error
    if ended is not None and not isinstance(ended, RunFinished | RunFailed):
        raise DecodeError("not a view of a run: it ends with another event")
    return RunView(**fields, ended=ended)


def _is_bounded(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    """Return whether all integers fit 64 bits and all floats are in the range of float32."""
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, float):
        return abs(value) <= codec.LARGEST
    if isinstance(value, dict):
        return all(map(_is_bounded, value.values()))
    return not isinstance(value, list) or all(map(_is_bounded, value))


def _array(kind: object, values: list[float]) -> NDArray[Any]:
    """Return values as an array of the type `kind`, an `NDArray` of a number type."""
    return np.asarray(values, get_args(get_args(kind)[1])[0])
