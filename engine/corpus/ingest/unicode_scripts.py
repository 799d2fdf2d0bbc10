"""The script of a letter, by its Unicode name, and the kind of any other character. Never needs a table of ranges."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping

from engine.text import LINE_BREAK

LINE_BREAKS = "line breaks"
SYMBOLS = "emoji and symbols"
_HAN, _LATIN, _MATHEMATICAL, _MODIFIER = "Han", "Latin", "mathematical letters", "modifier letters"
_NAMES = {
    **dict.fromkeys(("CJK", "IDEOGRAPHIC", "MASU"), _HAN),
    **dict.fromkeys(
        ("FULLWIDTH", "FEMININE", "MASCULINE", "SUPERSCRIPT", "ROMAN", "TURNED", "KELVIN", "ANGSTROM"), _LATIN
    ),
    **dict.fromkeys(("HALFWIDTH", "KATAKANA-HIRAGANA"), "Katakana"),
    **dict.fromkeys(("MODIFIER", "VERTICAL", "CARON"), _MODIFIER),
    **dict.fromkeys(("MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER", "INFORMATION"), _MATHEMATICAL),
    **dict.fromkeys(("PLANCK", "EULER", "ALEF", "BET", "GIMEL", "DALET"), _MATHEMATICAL),
    **dict.fromkeys(("MICRO", "OHM"), "Greek"),
    "CANADIAN": "Canadian syllabics",
    "UNNAMED": "other letters",
}
"""The script for a first word of a letter's name that is not a script."""
_NUM_WORDS = {"NEW": 3, **dict.fromkeys(("KAYAH", "LINEAR", "MEETEI", "OL", "OLD", "SYLOTI", "TAI"), 2)}
"""Words in the name of a script, if more than one."""
_KINDS = {"Z": "spaces", "N": "digits", "P": "punctuation", "M": "marks", "C": "joiners", "S": "other signs"}
_SKIN_TONES = range(0x1F3FB, 0x1F400)


def script_of(char: str) -> str | None:
    """Return the script of a letter ("Latin", "Cyrillic", "Han"), "emoji and symbols" for a symbol, else None."""
    category = unicodedata.category(char)
    if (category == "So" and char != LINE_BREAK) or ord(char) in _SKIN_TONES:
        return SYMBOLS
    if category[0] != "L":
        return None
    words = unicodedata.name(char, "UNNAMED").split()
    if words[:2] == ["HALFWIDTH", "HANGUL"]:
        return "Hangul"
    return _NAMES.get(words[0]) or " ".join(words[: _NUM_WORDS.get(words[0], 1)]).title()


def kind_of(char: str) -> str:
    """Return the script of a character, or its kind: "digits", "punctuation", "spaces"."""
    if char == LINE_BREAK:
        return LINE_BREAKS
    return script_of(char) or _KINDS[unicodedata.category(char)[0]]


def by_kind(char_counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the characters of each kind with their counts, the most frequent kind first."""
    kinds: dict[str, dict[str, int]] = {}
    for char, count in char_counts.items():
        kinds.setdefault(kind_of(char), {})[char] = count
    return dict(sorted(kinds.items(), key=lambda item: -sum(item[1].values())))


def count_scripts(char_counts: Mapping[str, int]) -> dict[str, int]:
    """Return the number of characters of each script, the most frequent first."""
    counts: Counter[str] = Counter()
    for char, count in char_counts.items():
        script = script_of(char)
        if script is not None:
            counts[script] += count
    return dict(counts.most_common())
