"""Events and commands as JSON, from a journal or the socket."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from hypothesis import HealthCheck, Phase, given, settings

from engine.protocol import commands, events
from engine.protocol.codec import DecodeError, encode
from tests import strategies
from tests.fuzz.target import Target, require_plain


def examples() -> tuple[bytes, ...]:
    """Return a few events and commands of every kind."""
    found: list[bytes] = []
    quick = settings(max_examples=4, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    for kind in get_args(events.Event):

        @quick
        @given(strategies.events_of(kind))
        def add_event(event: events.Event) -> None:
            found.append(events.to_json(event).encode())

        add_event()

    @settings(quick, max_examples=60)
    @given(strategies.any_commands())
    def add_command(command: commands.Command) -> None:
        found.append(commands.to_json(command).encode())

    add_command()
    return tuple(dict.fromkeys(found))


def make(_: Path) -> Target:
    """Return the target."""
    return Target(name="messages", seeds=examples(), check=_check, max_seconds=0.5)


def _check(data: bytes) -> str:
    """Decode a line as an event and as a command; both must round-trip and be harmless."""
    outcomes = []
    try:
        event = events.from_json(data)
        line = events.to_json(event)
        assert events.from_json(line) == event
        require_plain(encode(event))
        outcomes.append(type(event).__name__)
    except DecodeError as error:
        outcomes.append(str(error))
    try:
        command = commands.from_json(data)
        assert commands.from_json(commands.to_json(command)) == command
        outcomes.append(type(command).__name__)
    except DecodeError as error:
        outcomes.append(str(error))
    return " ".join(outcomes)
