"""Work in pieces of a few milliseconds, so that training can go on in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

Result = TypeVar("Result")
Pieces: TypeAlias = Generator[None, None, Result]
"""Yields after each piece and returns the result."""


def run_to_end(pieces: Pieces[Result]) -> Result:
    """Run all pieces and return the result."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            result: Result = end.value
            return result
