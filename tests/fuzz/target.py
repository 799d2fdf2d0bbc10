"""What the fuzz command needs to know of a part of the program: inputs to begin with, and what has to hold of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.hostile import obeyed


@dataclass(frozen=True, kw_only=True)
class Target:
    """One part of the program that takes what comes from outside."""

    name: str
    seeds: tuple[bytes, ...]
    """Good inputs, and bad ones that were found once."""
    check: Callable[[bytes], str]
    """Take an input. Returns what became of it, in a few words; raises whatever a user would see as a traceback."""
    tokens: tuple[bytes, ...] = ()
    """What the input's format is made of."""
    max_seconds: float = 1.0
    """Processor time that one input may take."""
    max_mebibytes: int = 200
    """Memory that one input may add to the most that was used so far."""


def require_plain(*texts: str) -> None:
    """Raise `AssertionError` where one of the texts holds what a terminal would obey."""
    for text in texts:
        assert not obeyed(text), f"{obeyed(text)[:5]} in {text[:80]!a}"
