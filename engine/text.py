"""Clean what comes in, make harmless what goes out. Pure functions on strings; never reads a file.

`clean` turns a raw tweet into the text that a model learns: entities unescaped, NFC, one line, no invisible mischief.
`harmless` makes any string safe to show on a terminal or write to a log: what is left can't move a cursor, change a
colour, reorder a line or flood the screen. Joiners and variation selectors stay in both, or emoji would break.
"""

from __future__ import annotations

import html
import re
import unicodedata

ELLIPSIS = "…"
MAX_COMBINING_RUN = 4
"""More combining marks than this on one character are dropped: no script needs them, and they flood a screen."""

_KEPT_FORMAT_CHARACTERS = frozenset("\u200c\u200d")  # joiners: Persian, Indic scripts, emoji families
_WHITESPACE = re.compile(r"\s+")
_PLAIN_ASCII = re.compile(r"[ -~]*")
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)


def _is_dangerous(char: str) -> bool:
    """Say whether `char` is a control, format, surrogate or private-use character, or unassigned.

    Emoji tag characters (U+E0020 to U+E007F, category Cf) go too: alone they are invisible payload.
    """
    category = unicodedata.category(char)
    return category[0] == "C" and char not in _KEPT_FORMAT_CHARACTERS


def _without_floods(text: str) -> str:
    """Drop combining marks beyond `MAX_COMBINING_RUN` in a row, and joiners that follow a joiner or a blank."""
    kept: list[str] = []
    run = 0
    for char in text:
        is_joiner = char in _KEPT_FORMAT_CHARACTERS
        if is_joiner and (not kept or kept[-1] in _KEPT_FORMAT_CHARACTERS or kept[-1] == " "):
            continue
        if not is_joiner:  # a joiner is no character for marks to sit on: it begins no new run
            run = run + 1 if unicodedata.category(char)[0] == "M" else 0
        if is_joiner or run <= MAX_COMBINING_RUN:
            kept.append(char)
    return "".join(kept)


def _printable(text: str) -> str:
    """Drop escape sequences and what is dangerous, and turn every run of white space into one blank."""
    text = _WHITESPACE.sub(" ", _ESCAPE_SEQUENCE.sub("", text) if "\x1b" in text else text)
    if _PLAIN_ASCII.fullmatch(text):
        return text.strip()
    kept = "".join(char for char in text if not _is_dangerous(char))
    return _WHITESPACE.sub(" ", _without_floods(kept)).strip()


def clean(raw: str) -> str:
    """Return `raw` as the model learns it: entities unescaped, NFC, one line, printable, no blanks at the ends.

    Idempotent but for text that spells out an entity after unescaping (`&amp;lt;`): it is unescaped once per call.
    """
    # before, too: NFC makes two marks of some, which must not happen after they were counted
    text = unicodedata.normalize("NFC", html.unescape(raw))
    return unicodedata.normalize("NFC", _printable(text))


def harmless(text: str, max_chars: int = 4000) -> str:
    """Return `text` as one printable line of at most `max_chars` characters, cut with an ellipsis."""
    # a cap before the work: a megabyte of marks must not cost a second on its way to a label
    shown = _printable(text[: 8 * max_chars])
    return shown if len(shown) <= max_chars else shown[: max_chars - 1] + ELLIPSIS
