"""Doubts that a source contains text: a saved web page, a program, a table of numbers would train without an error.

The thresholds are far from what tweets, names or poems of any script reach (`tests/engine/corpus/test_cleaning.py`).
Never drops a row.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean

from engine.corpus.report import counted

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
_CELL = r"[\w\"'@#]|-\d"
"""The first characters of most cells."""
_BETWEEN_CELLS = {
    "semicolon": re.compile(rf"(?<=\S);(?={_CELL})(?![DPpOo]\b)"),  # no ;) or ;D
    "tab": re.compile(r"(?<=\S)\t(?=\S)"),
    "pipe": re.compile(rf"(?<=\S)\|(?={_CELL})"),
    "comma": re.compile(rf"(?<=[^\s\d]),(?={_CELL})|(?<=\d),(?=[^\W\d]|[\"'@#])"),  # no decimal comma
}
"""The delimiters of tables as they are between two cells, and hardly in prose."""
_MIN_BETWEEN_CELLS = {"comma": 2}
"""Least number of them in a row of a doubted source, if not 1: some people write no blank after a comma."""
_QUOTED = re.compile(r'"[^"]*"')
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


def doubt_about_columns(texts: Iterable[str]) -> str:
    """Return why unchanged texts may be rows of a table that was not split into columns, as a clause, or "".

    Most of them have the same number of one delimiter outside of quotation marks.
    """
    rows = [_QUOTED.sub("x", html.unescape(text)) for text in texts if text.strip()]
    for name, pattern in _BETWEEN_CELLS.items() if len(rows) >= MIN_ROWS else ():
        number, num_rows = Counter(len(pattern.findall(row)) for row in rows).most_common(1)[0]
        if number >= _MIN_BETWEEN_CELLS.get(name, 1) and num_rows > len(rows) / 2:
            return f"{100 * num_rows / len(rows):.0f} % of its rows have {counted(number, name)}, as rows of a table do"
    return ""


def _width(text: str) -> int:
    """Return the length of a text in which a Chinese, Japanese or Korean character, which is a syllable, counts two."""
    return len(text) + sum(unicodedata.east_asian_width(char) in "WF" for char in text)
