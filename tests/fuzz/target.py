"""`Target`: a part of the program to fuzz, with seeds, a property and limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.hostile import obeyed


@dataclass(frozen=True, kw_only=True)
class Target:
    """A part of the program that reads untrusted input."""

    name: str
    seeds: tuple[bytes, ...]
    """Valid inputs, and invalid ones that once broke something."""
    check: Callable[[bytes], str]
    """Process an input and return a short description of the outcome; raise what the user would see as a traceback."""
    tokens: tuple[bytes, ...] = ()
    """Tokens of the input's format."""
    max_seconds: float = 1.0
    """Limit of CPU time per input."""
    max_mebibytes: int = 200
    """Limit of growth of the peak memory per input."""


def require_plain(*texts: str) -> None:
    """Raise `AssertionError` if a text contains characters that a terminal would obey."""
    for text in texts:
        assert not obeyed(text), f"{obeyed(text)[:5]} in {text[:80]!a}"
