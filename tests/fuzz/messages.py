"""Targets that read lines and text: events and commands, the socket of a run, and text to clean and sanitize."""

from __future__ import annotations

import atexit
import threading
import unicodedata
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import SHUT_WR
from typing import Any, get_args

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy

from engine.protocol import commands, events
from engine.protocol.codec import DecodeError, encode
from engine.text import clean, defused, harmless, harmless_char, with_single_blanks
from tests import hostile, strategies
from tests.fakes import run_started, steps_finished, tweet_sampled
from tests.fuzz.running import Target, require_plain
from tests.tui.remote.host_and_client import HELLO, RUN, Hosted, RawClient, hosted
from tui.remote.protocol import Hello, to_line

_MESSAGES = {"Greeting", "ViewTold", "TweetsTold", "CaughtUp", "Refusal"}
_HIDDEN = "surrogatepass"


def messages(_: Path) -> Target:
    """Return events and commands as JSON, from a journal or the socket."""
    return Target(name="messages", seeds=_examples(), check=_check_message, max_seconds=0.5)


def _examples() -> tuple[bytes, ...]:
    """Return a few events and commands of every kind."""
    kinds = (strategies.events_of(kind) for kind in get_args(events.Event))
    lines = [events.to_json(event) for kind in kinds for event in _drawn(kind, 4)]
    lines += [commands.to_json(command) for command in _drawn(strategies.any_commands(), 60)]
    return tuple(dict.fromkeys(line.encode() for line in lines))


def _drawn(strategy: SearchStrategy[Any], count: int) -> list[Any]:
    """Return up to that many examples."""
    found: list[Any] = []

    @hypothesis.settings(
        max_examples=count, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(strategy)
    def add(example: Any) -> None:
        found.append(example)

    add()
    return found


def _check_message(data: bytes) -> str:
    """Decode a line as an event and as a command; both must round-trip and be harmless."""
    outcomes = []
    for kind in (events, commands):
        try:
            message = kind.from_json(data)
        except DecodeError as error:
            outcomes.append(str(error))
            continue
        assert kind.from_json(kind.to_json(message)) == message
        if kind is events:
            require_plain(encode(message))
        outcomes.append(type(message).__name__)
    return " ".join(outcomes)


def socket(_: Path) -> Target:
    """Return the socket of a run: a real host, the same for all inputs, must survive what clients send."""
    hosts: list[Hosted] = []

    def check(data: bytes) -> str:
        """Send the data alone and after a valid hello; then check that the host still serves a view."""
        if not hosts:  # starts a thread, so only when used
            open_host = ExitStack()
            script = (run_started(run=RUN), steps_finished(1, [3.0, 2.5]), tweet_sampled("hello", 2))
            hosts.append(open_host.enter_context(hosted(*script)))
            atexit.register(open_host.close)
        [host] = hosts
        outcomes = []
        for sent in (data, HELLO + data):
            host.sent.clear()
            lines = [line for line in _answers(host, sent) if "event" not in line]  # the run's own arrive in between
            kinds = [line["message"] for line in lines]
            assert _MESSAGES.issuperset(kinds), kinds
            assert kinds[0] == "Greeting"
            reasons = [str(line["reason"]) for line in lines if line["message"] == "Refusal"]
            require_plain(*reasons)
            outcomes.append(f"{kinds[-1]} {reasons} {sorted({type(each).__name__ for each in host.sent})}")
        host.attached().close()
        assert host.host.problem == ""
        return " | ".join(outcomes)

    of_commands = tuple(line + b"\n" for line in _examples() if b'"command"' in line)
    hellos = (HELLO, to_line(Hello(is_read_only=True)), HELLO + HELLO)
    refused = (HELLO.rstrip(b"}\n") + b',"x":' + b"[" * 600 + b"]" * 600 + b"}\n", b"x" * 65_537)
    return Target(
        name="socket",
        seeds=(*hellos, *refused, *of_commands[:60], b"".join(of_commands[:20])),
        check=check,
        tokens=(b'{"command":', b'{"message":', b"\n", HELLO, b'"temperatures":['),
    )


def _answers(host: Hosted, data: bytes) -> list[dict[str, object]]:
    """Return what a host sends to a client that sends `data`, as far as the host reads it, and closes its side."""
    with RawClient(host.path) as client:
        writer = threading.Thread(target=_send, args=(client, data))
        writer.start()
        received = client.receive_all()
        writer.join()
    return received


def _send(client: RawClient, data: bytes) -> None:
    with suppress(OSError):
        client.send(data)
        client.socket.shutdown(SHUT_WR)


def text(_: Path) -> Target:
    """Return arbitrary text, cleaned and sanitized."""
    seeds = tuple(text.encode("utf-8", _HIDDEN) for text in (*hostile.TEXTS.values(), "a nice day", "ẞ ☕ é"))
    tokens = tuple(token.encode("utf-8", _HIDDEN) for token in ("&amp;", "&#", "\u200d", "\ufe0f", "\u0316"))
    return Target(name="text", seeds=seeds, tokens=tokens, check=_check_text, max_seconds=0.5)


def _check_text(data: bytes) -> str:
    """Clean a text, and sanitize it with every function."""
    try:
        text = data.decode("utf-8", _HIDDEN)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if len(data) % 2:
        text = text.encode("utf-8", _HIDDEN).decode("utf-8", "replace")
    cleaned, shown, safe = clean(text), harmless(text), defused(text)
    require_plain(cleaned, shown, safe, *map(harmless_char, text[:200]))
    assert harmless(shown) == shown
    assert defused(safe) == safe
    assert len(shown) <= 4000
    assert with_single_blanks(cleaned) == cleaned
    kinds = sorted({unicodedata.category(char) for char in cleaned})
    return f"{'s' * len(shown).bit_length()} {shown == text} {safe == text} {' '.join(kinds)}"
