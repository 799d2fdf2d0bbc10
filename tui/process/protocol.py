"""The messages on the socket of a run: one JSON object per line, named by its class under the key "message".

    host      Greeting                           the run and its process
    client    Hello                              whether the client is read-only
    host      Snapshot TweetChunk* SnapshotEnd   the run so far, bounded
    host      {"event": ...}*                    the events from then on, as `--json` prints them
    host      Screens                            the number of attached clients, whenever it changes
    client    {"command": ...}*                  as `engine.protocol.commands` encodes them

A client that falls behind is sent a `Snapshot` in place of the events that it missed. The host answers an unexpected or
invalid line by `Refusal`, and closes the connection. The class names are part of the protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.config.run import RunConfig
from engine.errors import TweetgenError
from engine.protocol import codec
from engine.protocol.codec import Count, DecodeError, Number, Seconds, StepNumber
from engine.protocol.commands import Command
from engine.protocol.events import Event, TweetSampled
from engine.text import sanitize
from tui.run.view import RunPhase, RunView

MAX_CLIENT_LINE_BYTES = 64 * 1024
"""A command is far shorter."""
START_OF_EVENT = b'{"event":'
_TWEETS_A_LINE = 100


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="message", tag=True):
    """What all messages have in common."""


class Greeting(Message, frozen=True, kw_only=True):
    """The host's first line."""

    run: str
    pid: Count
    phase: RunPhase
    step: StepNumber
    elapsed_seconds: Seconds
    best_bits_per_char: Number | None
    corpus: str
    """The name of its tweets; empty until the run has started."""


class Hello(Message, frozen=True, kw_only=True):
    """The client's first line."""

    is_read_only: bool = False
    """The host refuses its commands, except for those that change nothing."""


class Snapshot(Message, frozen=True, kw_only=True):
    """The run so far without its tweets; those in the lines that follow replace all sent before."""

    view: dict[str, Any]
    """As `encode_view` returns it."""
    config: RunConfig
    """The config with which the run was started."""


class TweetChunk(Message, frozen=True, kw_only=True):
    """Some of the tweets so far, in order."""

    tweets: tuple[TweetSampled, ...]


class SnapshotEnd(Message, frozen=True):
    """The view is complete; the events that follow came after it."""


class Screens(Message, frozen=True, kw_only=True):
    """How many clients are attached, including the receiver."""

    count: Count


class Refusal(Message, frozen=True, kw_only=True):
    """The host's last line to a client that it disconnects."""

    reason: str
    hint: str = ""


def to_line(message: Message | Event | Command) -> bytes:
    """Encode a message as a line."""
    return codec.encode(message).encode() + b"\n"


def message_in(line: bytes) -> Message:
    """Decode a line, and make its strings harmless. Raises `DecodeError`."""
    return codec.decode_tagged(line, Message, sanitize)


def lines_of(view: RunView, config: RunConfig) -> Iterator[bytes]:
    """Yield the lines that transfer a whole view: its tweets, maybe thousands, in lines of their own."""
    yield to_line(Snapshot(view=encode_view(view), config=config))
    for start in range(0, len(view.tweets), _TWEETS_A_LINE):
        yield to_line(TweetChunk(tweets=view.tweets[start : start + _TWEETS_A_LINE]))
    yield to_line(SnapshotEnd())


def encode_view(view: RunView) -> dict[str, Any]:
    """Return a view without its tweets as JSON values; bounded like the view itself: the series in buckets."""
    form: dict[str, Any] = msgspec.to_builtins(replace(view, tweets=()), enc_hook=np.ndarray.tolist)
    return form


def decode_view(form: dict[str, Any]) -> RunView:
    """Return the view that `encode_view` encoded. Raises `DecodeError`."""
    try:
        if form.keys() != vars(RunView()).keys():  # else another version's would be filled with defaults
            raise DecodeError("it has other fields")
        if not _is_bounded(form):
            raise DecodeError("a number is out of range")
        return msgspec.convert(form, RunView, dec_hook=_array)
    except (TypeError, OverflowError, ValueError, msgspec.MsgspecError, TweetgenError) as error:
        raise DecodeError(f"not a view of a run: {error}") from error


def _is_bounded(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    """Return whether all integers fit 64 bits and all floats are in the range of float32."""
    match value:
        case int():
            return abs(value) < 2**63
        case float():
            return abs(value) <= codec.LARGEST
        case dict() | list():
            return all(map(_is_bounded, value.values() if isinstance(value, dict) else value))
    return True


def _array(kind: object, values: list[float]) -> NDArray[Any]:
    """Return values as an array of the type `kind`, an `NDArray` of a number type."""
    return np.asarray(values, get_args(get_args(kind)[1])[0])
