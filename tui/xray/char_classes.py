"""Classes of characters, and which of them lie together on the map of the embeddings. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from engine.protocol.insight import CharPoint

CharClass = Literal["vowels", "consonants", "capitals", "digits", "punctuation", "other"]
CHAR_CLASSES: tuple[CharClass, ...] = get_args(CharClass)
_VOWELS = frozenset("aeiouæøœıаеёиоуыэюяіїєαεηιουω")
_NUM_DRAWS = 200
_MAX_SHARE_OF_DRAWS = 0.01
"""A class lies together if at most this share of random sets of characters does."""


@dataclass(frozen=True)
class Closeness:
    """How close the characters of a class lie to each other."""

    char_class: CharClass
    distance_ratio: float
    """Their mean distance divided by that of all characters."""
    is_closer_than_chance: bool
    """Whether at least 99 % of random sets of as many characters lie further apart."""


def class_of(char: str) -> CharClass:
    """Return the class of a character; letters without case, white space and emoji are `other`."""
    if char.isupper():
        return "capitals"
    if char.islower():
        return "vowels" if unicodedata.normalize("NFD", char)[0] in _VOWELS else "consonants"
    if char.isdecimal():
        return "digits"
    category = unicodedata.category(char)
    return "punctuation" if category[0] == "P" or (category[0] == "S" and char.isascii()) else "other"


@lru_cache(8)
def closeness_of_classes(points: tuple[CharPoint, ...]) -> tuple[Closeness, ...]:
    """Return the classes with at least three characters, except `other`, closest first.

    Chance is a permutation test: the characters are drawn `_NUM_DRAWS` times without replacement, always from the same
    seed.
    """
    places = np.array([(point.x, point.y) for point in points]).reshape(-1, 2)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)  # (N, N)
    found = []
    for char_class in CHAR_CLASSES[:-1]:
        members = [number for number, point in enumerate(points) if class_of(point.char) == char_class]
        if 3 <= len(members) < len(points):
            found.append(_closeness(char_class, members, distances))
    return tuple(sorted(found, key=lambda each: each.distance_ratio))


def _closeness(char_class: CharClass, members: Iterable[int], distances: npt.NDArray[np.float64]) -> Closeness:
    """Compare the mean distance within a class with that within random sets of the same size."""
    chosen = np.array(list(members))
    everyone = np.arange(len(distances))
    draws = np.random.default_rng(0).permuted(np.tile(everyone, (_NUM_DRAWS, 1)), axis=1)[:, : len(chosen)]
    of_class = _mean_distance(chosen[None], distances)[0]
    is_as_close = _mean_distance(draws, distances) <= of_class
    mean = float(_mean_distance(everyone[None], distances)[0])
    return Closeness(
        char_class=char_class,
        distance_ratio=float(of_class) / mean if mean else 1.0,
        is_closer_than_chance=bool(is_as_close.mean() <= _MAX_SHARE_OF_DRAWS),
    )


def _mean_distance(sets: npt.NDArray[np.int64], distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean distance between two different members of each row of `sets`."""
    size = sets.shape[1]
    sums: npt.NDArray[np.float64] = distances[sets[:, :, None], sets[:, None, :]].sum(axis=(1, 2))
    means: npt.NDArray[np.float64] = sums / (size * (size - 1))
    return means
