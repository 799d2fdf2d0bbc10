"""The messages on the socket of a run: one JSON object per line, named by its class under the key "message".

    host      Greeting                       the run and its process
    client    Hello                          whether the client is read-only
    host      ViewTold TweetsTold* CaughtUp  the run so far, bounded
    host      {"event": ...}*                the events from then on, as `--json` prints them
    host      Screens                        the number of attached clients, whenever it changes
    client    {"command": ...}*              as `engine.protocol.commands` encodes them

A client that falls behind is sent a `ViewTold` in place of the events that it missed. The host answers an unexpected or
invalid line by `Refusal`, and closes the connection. The class names are part of the protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

from engine.config.run import RunConfig
from engine.protocol import codec
from engine.protocol.events import TweetSampled
from engine.text import defused
from tui.remote.agent import Agent
from tui.remote.view_codec import encode_view
from tui.run.view import RunPhase, RunView

MAX_CLIENT_LINE_BYTES = 64 * 1024
"""A command is far shorter."""
_TWEETS_A_LINE = 100


@dataclass(frozen=True, kw_only=True)
class Greeting:
    """The host's first line."""

    run: str
    pid: int
    agent: Agent | None = None
    """What starts its processes again where one is lost; None for a run of one process."""
    phase: RunPhase
    step: int
    elapsed_seconds: float
    best_bits_per_char: float | None
    corpus: str
    """The name of its tweets; empty until the run has started."""


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The client's first line."""

    is_read_only: bool = False
    """The host refuses its commands, except for those that change nothing."""


@dataclass(frozen=True, kw_only=True)
class ViewTold:
    """The run so far without its tweets; those in the lines that follow replace all sent before."""

    view: dict[str, Any]
    """As `view_codec` encodes it."""
    config: RunConfig
    """With which the run was started."""


@dataclass(frozen=True, kw_only=True)
class TweetsTold:
    """Some of the tweets so far, in order."""

    tweets: tuple[TweetSampled, ...]


@dataclass(frozen=True, kw_only=True)
class CaughtUp:
    """The view is complete; the events that follow came after it."""


@dataclass(frozen=True, kw_only=True)
class Screens:
    """How many clients are attached, including the receiver."""

    count: int


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The host's last line to a client that it disconnects."""

    reason: str
    hint: str = field(default="")


Message = Greeting | Hello | ViewTold | TweetsTold | CaughtUp | Screens | Refusal
_TYPES: dict[str, type[Message]] = {message_type.__name__: message_type for message_type in get_args(Message)}
_TAG = "message"
START_OF_EVENT = b'{"event":'


def to_line(message: Message) -> bytes:
    """Encode a message as a line."""
    return codec.encode(message, _TAG).encode() + b"\n"


def message_in(line: bytes) -> Message:
    """Decode a line, and make its strings harmless. Raises `DecodeError`."""
    return codec.decode_tagged(line, _TAG, _TYPES, defused)


def lines_of(view: RunView, config: RunConfig) -> Iterator[bytes]:
    """Yield the lines that transfer a whole view."""
    yield to_line(ViewTold(view=encode_view(view), config=config))
    for start in range(0, len(view.tweets), _TWEETS_A_LINE):
        yield to_line(TweetsTold(tweets=view.tweets[start : start + _TWEETS_A_LINE]))
    yield to_line(CaughtUp())
