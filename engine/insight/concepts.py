"""Concepts that a unit may track: a label for each character of a text. Rules on the characters alone.

The label of the character at place t is compared with the hidden state after that character was read. So "after a
space" is true where the character itself is a space, and "vowel next" depends on the character at t + 1, which the
state can only predict.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.float64]

_NAME = re.compile(r"(?<!\w)@\w+")
_LINK = re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE)
_HASHTAG = re.compile(r"(?<!\w)#(?=\w*[^\W\d])\w+")  # "#1" is no hashtag
_PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "«": "»", '"': '"'}
_MIN_UPPER_CASE = 2
"""Number of adjacent capitals that make a stretch; a single one starts a word."""


def label(text: str) -> Labels:
    """Return the label of each concept at each character, (concepts, T), in the order of `CONCEPTS`."""
    return np.array([rule(text) for rule in _RULES.values()], dtype=np.float64).reshape(len(CONCEPTS), len(text))


def _spans(pattern: re.Pattern[str]) -> Callable[[str], Labels]:
    """Return the rule that is true within every match of `pattern`."""
    return lambda text: _within(text, (match.span() for match in pattern.finditer(text)))


def _within(text: str, spans: Iterable[tuple[int, int]]) -> Labels:
    """Return 1 from each start to before its end, else 0."""
    labels = np.zeros(len(text))
    for start, end in spans:
        labels[start:end] = 1
    return labels


def _quotes_and_brackets(text: str) -> Labels:
    """Return 1 from each opening mark to before its closing mark; a mark without its partner has no effect."""
    spans = []
    openings: list[int] = []
    for place, char in enumerate(text):
        closed = next((start for start in reversed(openings) if _PAIRS[text[start]] == char), None)
        if closed is not None:
            spans.append((closed, place))
            del openings[openings.index(closed) :]
        elif char in _PAIRS:
            openings.append(place)
    return _within(text, spans)


def _upper_case(text: str) -> Labels:
    """Return 1 in every run of at least `_MIN_UPPER_CASE` capitals."""
    runs = re.finditer("1+", "".join(str(int(char.isupper())) for char in text))
    return _within(text, (run.span() for run in runs if len(run.group()) >= _MIN_UPPER_CASE))


def _vowel_next(text: str) -> Labels:
    """Return 1 where the next character is a Latin vowel, with or without an accent."""
    return np.array([_is_vowel(char) for char in text[1:]] + [False] * bool(text), dtype=np.float64)


def _is_vowel(char: str) -> bool:
    return unicodedata.normalize("NFD", char)[0].lower() in "aeiou"


_RULES: dict[str, Callable[[str], Labels]] = {
    "in an @name": _spans(_NAME),
    "in a link": _spans(_LINK),
    "in a hashtag": _spans(_HASHTAG),
    "after a space": lambda text: np.array([char == " " for char in text], dtype=np.float64),
    "position": lambda text: np.arange(len(text), dtype=np.float64),
    "inside quotes or brackets": _quotes_and_brackets,
    "in an upper-case stretch": _upper_case,
    "vowel next": _vowel_next,
}
CONCEPTS = tuple(_RULES)
"""Names, as they are shown."""
