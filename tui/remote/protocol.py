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
from typing import Any

import msgspec

from engine.config.run import RunConfig
from engine.protocol import codec
from engine.protocol.codec import Count, Number, Seconds, StepNumber
from engine.protocol.events import TweetSampled
from engine.text import sanitize
from tui.remote.agent import Agent
from tui.remote.view_codec import encode_view
from tui.run.view import RunPhase, RunView

MAX_CLIENT_LINE_BYTES = 64 * 1024
"""A command is far shorter."""
_TWEETS_A_LINE = 100


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="message", tag=True):
    """What all messages have in common."""


class Greeting(Message, frozen=True, kw_only=True):
    """The host's first line."""

    run: str
    pid: Count
    agent: Agent | None = None
    """What starts its processes again where one is lost; None for a run of one process."""
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


class ViewTold(Message, frozen=True, kw_only=True):
    """The run so far without its tweets; those in the lines that follow replace all sent before."""

    view: dict[str, Any]
    """As `view_codec` encodes it."""
    config: RunConfig
    """With which the run was started."""


class TweetsTold(Message, frozen=True, kw_only=True):
    """Some of the tweets so far, in order."""

    tweets: tuple[TweetSampled, ...]


class CaughtUp(Message, frozen=True):
    """The view is complete; the events that follow came after it."""


class Screens(Message, frozen=True, kw_only=True):
    """How many clients are attached, including the receiver."""

    count: Count


class Refusal(Message, frozen=True, kw_only=True):
    """The host's last line to a client that it disconnects."""

    reason: str
    hint: str = ""


START_OF_EVENT = b'{"event":'


def to_line(message: Message) -> bytes:
    """Encode a message as a line."""
    return codec.encode(message).encode() + b"\n"


def message_in(line: bytes) -> Message:
    """Decode a line, and make its strings harmless. Raises `DecodeError`."""
    return codec.decode_tagged(line, Message, sanitize)


def lines_of(view: RunView, config: RunConfig) -> Iterator[bytes]:
    """Yield the lines that transfer a whole view."""
    yield to_line(ViewTold(view=encode_view(view), config=config))
    for start in range(0, len(view.tweets), _TWEETS_A_LINE):
        yield to_line(TweetsTold(tweets=view.tweets[start : start + _TWEETS_A_LINE]))
    yield to_line(CaughtUp())
