"""Doubts that a source contains text: a saved web page, a program, a table of numbers would train without an error.

The thresholds are far from what tweets, names or poems of any script reach (`tests/engine/corpus/ingest`). Never drops
a row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from statistics import fmean

MIN_ROWS = 20
MAX_ROWS = 1000
"""Rows of a source that are examined."""

_MARKUP = re.compile(
    r"""
    </[A-Za-z][\w:-]*\s*> | <[A-Za-z][\w:-]*(?:\s[^<>=]*=[^<>]*|\s*/)> | <[!?] | -->  # not <mia>, a name in a chat
    | <(?:html|head|body|title|style|script|main|div|span|p|br|hr|b|i|em|strong|h\d|ul|ol|li|table|thead|tbody|tr|td)>
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CODE = re.compile(
    r"""
    [;{}]$ | ^[})\]]+[;,]?$ | ^\(.*\)[,;]$ | ^<[A-Za-z/][^>]*$
    | ^(?:function\ |\#include|import\ )
    | ^(?:SELECT|INSERT\ INTO|DELETE\ FROM|CREATE|ALTER|DROP|FROM|WHERE|ORDER\ BY|(?:PRIMARY|FOREIGN)\ KEY)\ [\w`"*(.]
    | ^[`"]\w+[`"]\ [A-Z]{3,}  # a column of a database
    | ^(?:def\ \w+\(|class\ \w+[(:]|from\ [\w.]+\ import\ |return(?:\ [^.!?]+)?$|self\.\w|print\()  # Python
    | ^(?:if|elif|for|while|with|except)\ .+:$ | ^(?:else|try|finally):$
    | ^[\w.\[\],\ ]{1,60}[^!<>=]\ [-+*/|]?=\ \S | ^[\w.]+\(.*\)$
    """,
    re.VERBOSE,
)
_LONG_WORD = re.compile(r"(?<!\S)(?!\S*://)[!-~]{40,}(?!\S)")
_MAX_MARKUP_SHARE = 0.3
_MAX_LONG_WORD_SHARE = 0.5
_MAX_DIGIT_SHARE = 0.4
_MIN_MEAN_CHARS = 3.0
_MIN_DISTINCT_SHARE = 0.1


def doubt_about(texts: Sequence[str], num_rows: int, num_duplicates: int) -> str:
    """Return why a source doesn't look like text, as a clause; "" if it does or has fewer than `MIN_ROWS` texts.

    `texts` are a sample of its tweets, `num_rows` the number of rows with a text, `num_duplicates` of those that equal
    an earlier one.
    """
    if num_rows < MIN_ROWS or not texts:
        return ""
    if num_rows - num_duplicates < _MIN_DISTINCT_SHARE * num_rows:
        return f"{100 * num_duplicates / num_rows:.0f} % of its rows are duplicates"
    if len(texts) < MIN_ROWS:
        return ""
    markup = fmean(bool(_MARKUP.search(text) or _CODE.search(text)) for text in texts)
    if markup > _MAX_MARKUP_SHARE:
        return f"{100 * markup:.0f} % of its rows are markup or code"
    long_words = fmean(bool(_LONG_WORD.search(text)) for text in texts)
    if long_words > _MAX_LONG_WORD_SHARE:
        return f"{100 * long_words:.0f} % of its rows have a word of 40 characters or more"
    chars = "".join("".join(text.split()) for text in texts)
    digits = sum(map(str.isdigit, chars)) / len(chars)
    if digits > _MAX_DIGIT_SHARE:
        return f"{100 * digits:.0f} % of its characters are digits"
    mean = fmean(map(len, texts))
    is_short = mean < _MIN_MEAN_CHARS and fmean(map(_width, texts)) < _MIN_MEAN_CHARS
    return f"its rows are {mean:.1f} characters long on average" if is_short else ""


def _width(text: str) -> int:
    """Return the length of a text in which a Chinese, Japanese or Korean character, which is a syllable, counts two."""
    return len(text) + sum(unicodedata.east_asian_width(char) in "WF" for char in text)
