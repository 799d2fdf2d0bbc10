"""Words and texts found in a text without case: `comparable` folds both, `has_word` finds whole words.

Text is compared without case, in NFC and with line breaks as blanks. A word is found as by `grep -w`: no letter, digit,
underscore, combining mark or joiner may touch it. So "art" is not in "party" and "art_2", but in "art's", "@art" and
"#art", while "@art" is only the name. Where a script has no blanks between words (Chinese, Japanese, Thai, Lao,
Burmese, Khmer), any place between two characters is the end of a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from engine.text import LINE_BREAK

_SELECTORS = re.compile("[\ufe0e\ufe0f]")
_JOINERS = frozenset("\u200c\u200d")
_WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9d\U00020000-\U0003ffff]"
)
"""Letters of scripts without blanks between words."""


def comparable(text: str) -> str:
    """Return text as it is compared: without case and emoji selectors, in NFC, line breaks as blanks."""
    text = _SELECTORS.sub("", text.replace(LINE_BREAK, " "))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def has_word(text: str, word: str) -> bool:
    """Return whether a word or phrase, not empty, occurs in `text` as whole words; both are comparable."""
    return next(_ends_of(text, word), None) is not None


def has_word_inside(text: str, word: str) -> bool:
    """Return the same of a text that goes on: at its end, the word may be the start of a longer one."""
    return any(end < len(text) for end in _ends_of(text, word))


def _ends_of(text: str, word: str) -> Iterator[int]:
    """Yield where the whole words of `has_word` end."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not _is_inside_word(text[at - 1 : at + 1]) and not _is_inside_word(text[end - 1 : end + 1]):
            yield end
        at = text.find(word, at + 1)


def _is_inside_word(pair: str) -> bool:
    """Return whether two characters in sequence belong to one word; an end of the text has fewer than two."""
    if len(pair) < 2:
        return False
    if _is_mark(pair[1]) or _JOINERS.intersection(pair):
        return True
    return all(char.isalnum() or char == "_" or _is_mark(char) for char in pair) and not _WITHOUT_BLANKS.search(pair)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"
