"""Tables written as text, and uniform draws from them."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def words(text: str) -> tuple[str, ...]:
    """Split a text into words; a word listed twice is twice as likely in `pick`."""
    return tuple(text.split())


def pairs(text: str) -> dict[str, str]:
    """Parse `key:value` words into a mapping."""
    return dict(pair.split(":") for pair in text.split())


def pick(rng: Random, items: Sequence[T]) -> T:
    """Draw one item uniformly, by a single call of `Random.random`."""
    return items[int(rng.random() * len(items))]
