"""What is said on the socket of a run: one JSON object a line, at the host's end and at the watcher's.

    host      Greeting                     who is here, and which protocol
    watcher   Hello                        who comes, and whether to steer
    host      ViewTold TweetsTold* CaughtUp    all that has been, bounded
    host      {"event": ...}*              what happens from then on, the lines of `--json`
    host      Screens                      how many are attached, whenever that changes
    watcher   {"command": ...}*            wishes, as `engine.protocol.commands` has them

A watcher that falls behind is told a `ViewTold` again in place of what it has missed. A line that is none of these, or
comes when it should not, is answered by `Refusal`, and the connection is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

from engine.config.run import RunConfig
from engine.protocol import codec
from engine.protocol.events import TweetSampled
from engine.text import defused
from tui.remote.view_codec import form_of
from tui.run.view import Phase, RunView

PROTOCOL = 2
"""Raised with every change that the other side could not read."""
MAX_WATCHER_LINE_BYTES = 64 * 1024
"""A command is far shorter."""
_TWEETS_A_LINE = 100


@dataclass(frozen=True, kw_only=True)
class Greeting:
    """The host's first line."""

    protocol: int = PROTOCOL
    run: str
    pid: int
    phase: Phase
    step: int
    elapsed_seconds: float
    best_bits_per_char: float | None


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The watcher's first line."""

    protocol: int = PROTOCOL
    is_read_only: bool = False
    """Its commands are to be refused."""


@dataclass(frozen=True, kw_only=True)
class ViewTold:
    """The run so far, but for its tweets; those of the lines that follow take the place of all told before."""

    view: dict[str, Any]
    """As `view_codec` has it."""
    config: RunConfig
    """What the run was asked for."""


@dataclass(frozen=True, kw_only=True)
class TweetsTold:
    """Some of the tweets so far, in order."""

    tweets: tuple[TweetSampled, ...]


@dataclass(frozen=True, kw_only=True)
class CaughtUp:
    """The events that follow are those after the view."""


@dataclass(frozen=True, kw_only=True)
class Screens:
    """How many clients are attached, the one that reads this included."""

    count: int


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The host's last line to one that it does not want."""

    reason: str
    hint: str = field(default="")


Message = Greeting | Hello | ViewTold | TweetsTold | CaughtUp | Screens | Refusal
_TYPES: dict[str, type[Message]] = {message_type.__name__: message_type for message_type in get_args(Message)}
_TAG = "message"
START_OF_EVENT = b'{"event":'


def to_line(message: Message) -> bytes:
    """Return a message as a line."""
    return codec.encode(message, _TAG).encode() + b"\n"


def message_in(line: bytes) -> Message:
    """Return the message that a line holds, its strings made harmless. Raises `DecodeError`."""
    return codec.decode_tagged(line, _TAG, _TYPES, defused)


def protocol_in(line: bytes) -> object:
    """Return which protocol the sender of a first line speaks, whatever else may be in it; None where it names none."""
    return codec.decode(line, dict[str, Any]).get("protocol")


def lines_of(view: RunView, config: RunConfig) -> Iterator[bytes]:
    """Yield a whole view in lines."""
    yield to_line(ViewTold(view=form_of(view), config=config))
    for start in range(0, len(view.tweets), _TWEETS_A_LINE):
        yield to_line(TweetsTold(tweets=view.tweets[start : start + _TWEETS_A_LINE]))
    yield to_line(CaughtUp())
