"""Which scripts a text is written in, by the names that Unicode gives its letters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping

_NAMES = {"CJK": "Han", "HANGUL": "Hangul", "HALFWIDTH": "Katakana", "FULLWIDTH": "Latin", "FEMININE": "Latin"}
_NAMES |= {"MASCULINE": "Latin", "MODIFIER": "modifier letters", "MATHEMATICAL": "mathematical letters"}


def script_of(char: str) -> str | None:
    """Return the script of a letter: "Latin", "Cyrillic", "Han"; "emoji and symbols" for a symbol; None for others."""
    category = unicodedata.category(char)
    if category == "So":
        return "emoji and symbols"
    if category[0] != "L":
        return None
    first = unicodedata.name(char, "UNNAMED").split()[0]
    return _NAMES.get(first, first.capitalize())


def count_scripts(char_counts: Mapping[str, int]) -> dict[str, int]:
    """Return how many characters each script has, the most used first."""
    counts: Counter[str] = Counter()
    for char, count in char_counts.items():
        script = script_of(char)
        if script is not None:
            counts[script] += count
    return dict(counts.most_common())
