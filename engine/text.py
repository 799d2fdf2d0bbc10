"""Text in and out: `clean` normalizes tweets, `sanitize_line` and `sanitize` make text safe to show.

`clean` turns a raw tweet into the text that a model learns: entities unescaped, NFC, line breaks as one visible symbol,
no invisible characters. `sanitize_line` makes any string safe for a terminal or a log: the result can't move a cursor,
change a colour, reorder a line or flood the screen. `sanitize` does the same but preserves every blank, for text that
was already cleaned elsewhere. All three keep joiners and variation selectors, which emoji need.

Words are found without case, in NFC and with line breaks as blanks (`comparable`). A word is found as by `grep -w`: no
letter, digit, underscore, combining mark or joiner may touch it: "art" is not in "party" and "art_2", but in "art's",
"@art" and "#art", while "@art" is only the name. Where a script has no blanks between words (Chinese, Japanese, Thai,
Lao, Burmese, Khmer), any place between two characters is the end of a word. `counted`, `listed` and `quoted` are for
sentences of the program. Never reads a file.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, groupby

ELLIPSIS = "…"
LINE_BREAK = "↵"
"""A line break in a cleaned tweet, so that a tweet is one line and the model can learn where lines end."""
EXAMPLE_CHARS = 120
"""Length of the excerpt of a dropped row in a report."""
MAX_COMBINING_RUN = 4
"""Combining marks per character; more are dropped: no script needs them, and they flood a screen."""
MAX_CHARS = 4000
"""Length of the longest text that is shown or sent anywhere."""
LOST = "\ufffd"
"""Replaces a character that is not safe to show."""
_MAX_CHARS_NORMALIZED = 1000
_MAX_MARKS_NORMALIZED = 30
"""The limit of Unicode's stream-safe text format (UAX #15, 13)."""
_UNMARKED = (
    "[ -\u02ff\u0370-\u0482\u2000-\u20cf\u2100-\u2cee\u3000-\u3029\u3030-\u3098\u309b-\ua66e\uac00-\ud7ff"
    "\U0001f000-\U0001f9ff]"
)
WITHOUT_MARKS = re.compile(f"{_UNMARKED}*")
"""Ranges without combining marks; most text matches."""
_WITH_VARIATIONS = (
    "©®\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf"
    "\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
"""The characters with emoji variation sequences (Unicode's emoji-variation-sequences.txt), most of them by blocks."""
_WITH_SINGLE_SELECTORS = re.compile(f"(?:{_UNMARKED}++(?:\ufe0f(?<=[{_WITH_VARIATIONS}].))?+)*+")
"""Text without combining marks but with single variation selectors, as emoji have them."""
_ORPHAN_SELECTOR = re.compile(  # a lookbehind before the selector would be tried at every character
    f"[\ufe0e\ufe0f](?:(?<![{_WITH_VARIATIONS}#*0-9].)|(?<=[#*0-9].)(?<!\ufe0f(?=\u20e3)))"  # digits: only as keycaps
)
_LONG_NUMBERS = re.compile(r"&#[0-9]{10,};?")
_KEPT_FORMAT_CHARACTERS = frozenset("\u200c\u200d")  # joiners: Persian, Indic scripts, emoji families
_SELECTOR = re.compile("[\ufe0e\ufe0f]")
_WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9d\U00020000-\U0003ffff]"
)
"""Letters of scripts without blanks between words."""
_ANY_LINE_BREAK = re.compile(f"[\n\r\u2028\u2029{LINE_BREAK}]")
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)


def _is_dangerous(char: str) -> bool:
    """Return whether `char` is a control, format, surrogate or private-use character, or unassigned.

    Emoji tag characters (U+E0020 to U+E007F, category Cf) count too: alone they are an invisible payload.
    """
    category = unicodedata.category(char)
    return category[0] == "C" and char not in _KEPT_FORMAT_CHARACTERS


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def _without_floods(text: str, replacement: str = "") -> str:
    """Replace combining marks beyond `MAX_COMBINING_RUN` in a row, and joiners that follow a joiner or a blank."""
    kept: list[str] = []
    run = 0
    for char in text:
        if char in _KEPT_FORMAT_CHARACTERS:  # a joiner is not a base character: it does not start a new run
            is_flood = not kept or kept[-1] in _KEPT_FORMAT_CHARACTERS or kept[-1] in {" ", LINE_BREAK}
        else:
            run = run + 1 if _is_mark(char) else 0
            is_flood = run > MAX_COMBINING_RUN
        if not is_flood:
            kept.append(char)
        elif replacement:
            kept.append(replacement)
            run = 0
    return "".join(kept)


def _without_long_runs(text: str) -> str:
    """Drop combining marks beyond `_MAX_MARKS_NORMALIZED` in a row, before normalization.

    `unicodedata.normalize` orders them in quadratic time with the GIL held: a megabyte took ten minutes (Python 3.11).
    """
    if len(text) <= _MAX_CHARS_NORMALIZED or _WITH_SINGLE_SELECTORS.fullmatch(text):
        return text
    runs = (list(run) for _, run in groupby(text, key=_is_mark))
    return "".join(chain.from_iterable(run[:_MAX_MARKS_NORMALIZED] if _is_mark(run[0]) else run for run in runs))


def with_single_blanks(text: str, *, keeps_line_breaks: bool = True) -> str:
    """Return `text` with white space collapsed to one blank, or one `LINE_BREAK` if it contains a line break."""
    if keeps_line_breaks and (LINE_BREAK in text or not text.isprintable()) and _ANY_LINE_BREAK.search(text):
        lines = (" ".join(line.split()) for line in _ANY_LINE_BREAK.split(text))
        return LINE_BREAK.join(filter(None, lines))
    return " ".join(text.split())


def _printable(text: str, *, is_tweet: bool) -> str:
    """Drop escape sequences and dangerous characters, and collapse white space to single blanks.

    In tweets, white space with a line break becomes a `LINE_BREAK`, and orphan selectors are dropped too.
    """
    text = _ESCAPE_SEQUENCE.sub("", text) if "\x1b" in text else text
    text = with_single_blanks(text, keeps_line_breaks=is_tweet)
    if text.isprintable():
        if _WITH_SINGLE_SELECTORS.fullmatch(text):
            return text
        if is_tweet and _ORPHAN_SELECTOR.search(text):
            text = with_single_blanks(_ORPHAN_SELECTOR.sub("", text))
            if _WITH_SINGLE_SELECTORS.fullmatch(text):
                return text
    kept = "".join(char for char in text if not _is_dangerous(char))
    kept = _ORPHAN_SELECTOR.sub("", kept) if is_tweet else kept
    return with_single_blanks(_without_floods(kept), keeps_line_breaks=is_tweet)


def unescape(text: str) -> str:
    """Return `text` with its HTML entities decoded once."""
    try:
        return html.unescape(text)
    except ValueError:  # more digits than Python converts
        return html.unescape(_LONG_NUMBERS.sub("\ufffd", text))


def escape(text: str) -> str:
    """Escape plain text so that unescaping it once gives the same text, even if it contains entities."""
    return text if "&" not in text or unescape(text) == text else text.replace("&", "&amp;")


def clean(raw: str) -> str:
    """Return `raw` as the model learns it: entities unescaped, NFC, one line, printable, no blanks at the ends.

    A line break, with all white space and breaks around it, becomes one `LINE_BREAK`. Emoji selectors are removed
    where they select nothing: after blanks, letters and each other. Idempotent except for nested entities
    (`&amp;lt;`), which are unescaped once per call.
    """
    text = unescape(raw)
    if text.isascii():
        return _printable(text, is_tweet=True)
    # before counting marks, too: NFC splits some marks in two
    text = unicodedata.normalize("NFC", _without_long_runs(text))
    return unicodedata.normalize("NFC", _printable(text, is_tweet=True))


def sanitize_line(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return `text` as one printable line of at most `max_chars` characters, cut with an ellipsis."""
    # cap the input first: a megabyte of marks must not cost a second per label
    shown = _printable(text[: 8 * max_chars], is_tweet=False)
    return shown if len(shown) <= max_chars else shown[: max_chars - 1] + ELLIPSIS


def sanitize_lines(text: str) -> str:
    """Sanitize each line of `text`; indents are preserved."""
    return "\n".join(line[: len(line) - len(line.lstrip(" "))] + sanitize_line(line) for line in text.split("\n"))


def sanitize_char(char: str) -> str:
    """Return a single character if it is safe to show within a line, blanks included; else U+FFFD."""
    return char if sanitize_line(f".{char}.") == f".{char}." else LOST


def sanitize_in_place(text: str) -> str:
    """Sanitize `text` and keep its length: every unsafe character becomes U+FFFD."""
    return text if is_harmless(f"{text}.") else _without_floods("".join(map(sanitize_char, text)), LOST)


def sanitize(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return `text` unchanged if it is safe to show.

    Else white space becomes blanks, every other unsafe character U+FFFD, floods of marks are cut to a few, and text
    longer than `max_chars` is cut with an ellipsis.
    """
    if len(text) == 1:
        return sanitize_char(text)
    if len(text) > max_chars:
        text = text[: max_chars - 1] + ELLIPSIS
    if text.isprintable() and _WITH_SINGLE_SELECTORS.fullmatch(text):
        return text
    safe = (" " if char.isspace() else LOST if _is_dangerous(char) else char for char in text)
    return _without_floods("".join(safe))


def is_harmless(text: str) -> bool:
    """Return whether text is safe to show unchanged."""
    return sanitize(text) == text


def comparable(text: str) -> str:
    """Return text as it is compared: without case and emoji selectors, in NFC, line breaks as blanks."""
    text = _SELECTOR.sub("", text.replace(LINE_BREAK, " "))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def has_word(text: str, word: str, *, goes_on: bool = False) -> bool:
    """Return whether a word or phrase, not empty, occurs in `text` as whole words; both are comparable.

    In a text that `goes_on`, the word at its end does not count: it may be the start of a longer one.
    """
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        is_whole = not _is_inside_word(text[at - 1 : at + 1]) and not _is_inside_word(text[end - 1 : end + 1])
        if is_whole and not (goes_on and end == len(text)):
            return True
        at = text.find(word, at + 1)
    return False


def _is_inside_word(pair: str) -> bool:
    """Return whether two characters in sequence belong to one word; at an end of the text there are fewer."""
    if len(pair) < 2:
        return False
    if _is_mark(pair[1]) or _KEPT_FORMAT_CHARACTERS.intersection(pair):
        return True
    return all(char.isalnum() or char == "_" or _is_mark(char) for char in pair) and not _WITHOUT_BLANKS.search(pair)


def counted(count: int, thing: str) -> str:
    """Return a count with its noun: "1 tweet", "2,000 tweets"."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def listed(items: Sequence[str], most: int) -> str:
    """Return the first items and the number of the others: "a, b and 3 more"."""
    return ", ".join(items[:most]) + (f" and {len(items) - most:,} more" if len(items) > most else "")


def quoted(name: str) -> str:
    """Return a run's name as one word for a shell."""
    return f'"{name}"' if " " in name else name
