"""Small tables written as text, and the one way to draw from them."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text; a word written twice is drawn twice as often."""
    return tuple(text.split())


def pairs(text: str) -> dict[str, str]:
    """Return a mapping from a text of `key:value` words."""
    return dict(pair.split(":") for pair in text.split())


def pick(rng: Random, items: Sequence[T]) -> T:
    """Return one item, each equally likely."""
    return items[int(rng.random() * len(items))]
