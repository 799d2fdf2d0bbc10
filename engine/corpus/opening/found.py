"""`Contents`: what a named file, folder or archive holds that a reader could read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.corpus.source import Member

Wanted = Callable[[str], bool]
"""Says by its name whether a file inside a folder or archive is looked at."""


@dataclass(frozen=True)
class FoundMember(Member):
    """A member, and what reading it costs."""

    raw_bytes: int
    """Bytes on disk that reading it takes, about: compressed, in their share of an archive."""


@dataclass(frozen=True)
class Contents:
    """The members of what was named."""

    members: tuple[FoundMember, ...]
    left_out: tuple[str, ...] = ()
    """What was found and not taken, each a phrase: "../x.csv (its path leaves the archive)"."""
    num_others: int = 0
    """Files that were not wanted, the hidden ones apart."""
    is_container: bool = False
    """Whether it is a folder or archive, whose members have names of their own."""
