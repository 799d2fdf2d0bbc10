"""A row becomes a tweet: escapes decoded, mojibake repaired, cleaned, changed by the options, or dropped with a reason.

What an export did to a whole source shows in its first rows only: whether they have left-over escapes, and whether they
are text at all. Never changes a text in doubt, and never drops a row for a doubt.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from statistics import fmean

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.reader import EMPTY, ONLY_A_LINK, RETWEET, DroppedRow, Row, Source, head_of
from engine.text import (
    EXAMPLE_CHARS,
    LINE_BREAK,
    LOST,
    WITHOUT_MARKS,
    clean,
    counted,
    sanitize_line,
    with_single_blanks,
)

LOST_CHARACTERS = "with characters that were lost (U+FFFD)"
_AFTER_LINKS = "\u2600-\u27bf\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef\U0001f000-\U0001faff"
"""East Asian characters and emoji, which follow a link without a blank."""
_IN_LINKS = rf"[^\s{LINE_BREAK}{_AFTER_LINKS}]"
LINK = re.compile(rf"(?:https?://|www\.){_IN_LINKS}+", re.IGNORECASE)
_LINK_OR_PICTURE = re.compile(rf"(?:https?://|www\.|pic\.twitter\.com/){_IN_LINKS}+", re.IGNORECASE)
MASK = "@user"
MENTION = re.compile(r"@\w+")
_WHOLE_MENTION = re.compile(r"(?<!\w)@\w+(?:@\w(?:[\w.-]*\w)?)*")  # Mastodon's @name@server too; not an e-mail address
_NAME_AND_JOINERS = re.compile(_WHOLE_MENTION.pattern + "[\u200c\u200d]*")
_FIRST_OF_A_LINK = frozenset("hHwW")
_EMOJI_SELECTORS = "\ufe0e\ufe0f"
_NO_LETTERS = re.compile(r"[\W_]+")
_BLANK_FOR_NO_LETTER = {code: " " for code in range(128) if not chr(code).isalnum()}
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict(zip("‹›•·⁄×¡¿", "<>**/x!?", strict=True)),
        **dict(zip("øØłŁđĐðÐıħĦŧŦ", "oOlLdDdDihHtT", strict=True)),
        **dict(zip("ßẞæÆœŒþÞ", ["ss", "SS", "ae", "AE", "oe", "OE", "th", "Th"], strict=True)),
        "…": "...",
        LINE_BREAK: " ",
    }
)


class Cleaner:
    """Cleans the rows of one source as `CorpusConfig` says, and counts the repaired ones."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        options = (config.no_retweets, config.strip_links, config.strip_mentions, config.mask_mentions)
        self._has_options = any(options) or config.lowercase or config.ascii
        self._too_long = f"over {config.max_length} characters (--max-length)"
        self.num_repaired = 0

    def __call__(self, row: Row) -> Row:
        """Return the row's tweet, or the row as dropped with its reason."""
        if isinstance(row, DroppedRow):
            return row
        text = row if row.isascii() else repair(row)
        self.num_repaired += text != row
        tweet = clean(text)
        reason = LOST_CHARACTERS if LOST in tweet else ""
        if self._has_options and not reason:
            if self._config.no_retweets and tweet.startswith("RT @"):
                reason = RETWEET
            elif self._config.strip_links and _is_only_a_link(tweet):
                reason = ONLY_A_LINK
            else:
                tweet = self._changed(tweet)
        reason = reason or self._reason_to_drop(tweet)
        return DroppedRow(reason, sanitize_line(row, EXAMPLE_CHARS)) if reason else tweet

    def _changed(self, tweet: str) -> str:
        """Apply the options that change the text."""
        if self._config.ascii:
            tweet = to_ascii(tweet)
        if self._config.lowercase:
            tweet = tweet.replace("İ", "i")  # `lower` would give an i and a combining dot
            tweet = unicodedata.normalize("NFC", tweet.lower())
        if self._config.strip_links:
            tweet = _LINK_OR_PICTURE.sub(" ", tweet)
        if self._config.strip_mentions:
            tweet = _NAME_AND_JOINERS.sub(" ", tweet)
        elif self._config.mask_mentions:
            tweet = _WHOLE_MENTION.sub(MASK, tweet)
        return with_single_blanks(tweet)

    def _reason_to_drop(self, tweet: str) -> str:
        """Return the reason to drop a tweet, or ""."""
        if not tweet:
            return EMPTY
        if tweet[0] in _FIRST_OF_A_LINK and _is_only_a_link(tweet):
            return ONLY_A_LINK
        return self._too_long if len(tweet) > self._config.max_length else ""


def _is_only_a_link(tweet: str) -> bool:
    return tweet != "" and not LINK.sub("", tweet).strip(f" {LINE_BREAK}")


def to_ascii(text: str) -> str:
    """Return `text` with accents and typographic characters folded to ASCII; other characters are removed."""
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKD", text.translate(_PLAIN))  # of ½ it has a fraction slash: translated again
    return folded.translate(_PLAIN).encode("ascii", "ignore").decode()


def duplicate_key(tweet: str) -> str:
    """Return a tweet without case, @names, links and punctuation, or with case folded only if nothing is left."""
    folded = tweet.casefold()
    bare = LINK.sub(" ", folded) if "://" in folded or "www." in folded else folded
    bare = MENTION.sub(" ", bare) if "@" in bare else bare
    return _words(bare) or folded


def _words(text: str) -> str:
    """Return the letters, digits and their combining marks, with single blanks between."""
    if text.isascii():
        return " ".join(text.translate(_BLANK_FOR_NO_LETTER).split())
    for selector in _EMOJI_SELECTORS:
        text = text.replace(selector, " ")
    if WITHOUT_MARKS.fullmatch(text):
        return " ".join(_NO_LETTERS.sub(" ", text).split())
    kept = [" "]
    for char in text:
        is_kept = char.isalnum() or (kept[-1] != " " and unicodedata.category(char) in {"Mn", "Mc"})
        kept.append(char if is_kept else " ")
    return " ".join("".join(kept).split())


# Mojibake -------------------------------------------------------------------------------------------------------------

MAX_ROUNDS = 3
"""Repeated wrong decodings that are reverted."""
_FIRST_BYTES = re.compile("[\u00c2-\u00f4][^\\x00-\\x7f]")
_BYTE_OF_WINDOWS_CHAR = {ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte)): byte for byte in range(0x80, 0xA0)}
_PUNCTUATION = rb"\x82\x84\x85\x91-\x97\x99\x9b\xa0\xa1\xa9\xaa\xab\xae\xb0\xb4\xb7\xb9-\xbb\xbf"
"""Windows-1252 bytes that follow a letter in real text: quotation marks, dashes, …, ™, », ª, no-break blank."""
_SIGN = re.compile(
    rb"(?<![A-Z])[\xc2\xc3][\x80-\xbf]"  # é as "Ã©" and ° as "Â°", not after the capitals of "AMANHÃ…"
    rb"|[\xc2\xc3][^" + _PUNCTUATION + rb"]"
    rb"|[a-z][\xc4-\xca][\x80-\xbf]"  # ł, ę, ș: an accented capital inside a lower-case word
    rb"|(?:[\xc4-\xde][\x80-\xbf]){3}"  # three Greek, Cyrillic, Hebrew or Arabic letters in a row
    rb"|(?<![A-Za-z])\xe2[\x80-\xaf][\x80-\xbf]"  # typographic quotation marks, dashes, symbols
    rb"|\xe2[^" + _PUNCTUATION + rb"][\x80-\xbf]"
    rb"|(?:[\xe0\xe1\xe3-\xed][\x80-\xbf]{2}){2}"  # two CJK or Indic letters in a row
    rb"|\xef(?:\xbb\xbf|\xbf\xbd|\xb8[\x8e\x8f]|[\xbc\xbd][\x80-\xbf])"  # BOM, U+FFFD, selectors, fullwidth letters
    rb"|\xf0[\x90-\x9f][\x80-\xbf]{2}"  # emoji
)


def repair(text: str) -> str:
    """Return text without mojibake, UTF-8 decoded as Windows-1252 or Latin-1 ("donâ€™t"); in doubt, the text itself.

    A text is repaired as a whole or not at all: all of its bytes must be valid UTF-8, which real text with non-ASCII
    letters hardly ever is. Since "CAFÉ…" would become "CAFɅ", at least one place must also match `_SIGN`, a sequence
    that people do not write.
    """
    for _ in range(MAX_ROUNDS):
        if not _FIRST_BYTES.search(text):  # fast exit for nearly all texts
            break
        try:
            data = text.translate(_BYTE_OF_WINDOWS_CHAR).encode("latin-1")
            before = data.decode()
        except UnicodeError:
            break
        if not _SIGN.search(data):
            break
        text = before
    return text


# Left-over escapes ----------------------------------------------------------------------------------------------------

_MIN_ESCAPED_ROWS = 3
"""Least rows of the sample with an escape."""
_MIN_CODES = 0.5
r"""Least share of the backslashes in codes, to decode `\u2019`: emoticons such as `:\` are left."""
_MIN_ESCAPES = 0.98
r"""Least share of the backslashes in any escape, to decode `\n`, `\"` and the like."""
_MIN_LITERALS = 0.9
"""Least share of the rows that are bytes literals, to decode them."""
_CODES = re.compile(r"(?:\\{1,2}u[0-9a-fA-F]{4})+")
_ESCAPES = re.compile(r"""(?:\\u[0-9a-fA-F]{4})+|\\U000[0-9a-f]{5}|\\x[0-9a-f]{2}|\\["'/\\nrt]""")
_SIGN_OF_ESCAPES = re.compile(r'\\["/n]')
_BYTES_LITERAL = re.compile(r"""b(?:'.*'|".*")""")
_IN_LITERAL = re.compile(r"""\\(?:x[0-9a-f]{2}|["'\\nrt])""")
_BEFORE_CODE = re.compile(r"\\{1,2}u")
_WHITE_SPACE = {"n": "\n", "r": "\n", "t": "\t"}


def decode_escapes(rows: Iterator[Row], source: Source) -> Iterator[Row]:
    r"""Return the rows of `source`; the escapes that an export left in all of them are decoded, and a note reports it.

    They are `\u2019`, `\n`, `\/`, `\"`, and Python's `b'it\xe2\x80\x99s'`. People write backslashes too (`:\`,
    `C:\new`), so no row is decoded by itself: the first rows decide for the source, and in doubt nothing is changed.
    """
    head = head_of(rows)
    found = _decoder_for([row for row in head if isinstance(row, str)])
    if found is None:
        return chain(head, rows)
    decode, what = found
    source.notes.append(f"{what} decoded")
    return (decode(row) if isinstance(row, str) else row for row in chain(head, rows))


def _decoder_for(texts: list[str]) -> tuple[Callable[[str], str], str] | None:
    """Return the function that decodes these texts, and the name of their escapes; None if in doubt."""
    num_literals = sum(_BYTES_LITERAL.fullmatch(text) is not None for text in texts)
    if num_literals >= max(_MIN_ESCAPED_ROWS, _MIN_LITERALS * len(texts)):
        return _decoded_literal, "Python's bytes literals"
    texts = [text for text in texts if "\\" in text]
    num_backslashes = sum(text.count("\\") for text in texts)
    for pattern, sign, least_share, what in (
        (_ESCAPES, _SIGN_OF_ESCAPES, _MIN_ESCAPES, r"escapes such as \n and \/"),
        (_CODES, _CODES, _MIN_CODES, r"escapes such as \u2019"),
    ):
        in_escapes = sum(escape.count("\\") for text in texts for escape in pattern.findall(text))
        is_frequent = sum(sign.search(text) is not None for text in texts) >= _MIN_ESCAPED_ROWS
        if is_frequent and in_escapes >= least_share * num_backslashes:
            return partial(pattern.sub, _decoded), what
    return None


def _decoded(escape: re.Match[str]) -> str:
    r"""Return the text of `\n` and the like, or of a run of codes, in which surrogates are pairs."""
    text = escape.group()
    if _BEFORE_CODE.match(text):
        return bytes.fromhex(_BEFORE_CODE.sub("", text)).decode("utf-16-be", "replace")
    if text[1] in "Ux":  # as Python writes them
        digits = text[2:]
        return chr(int(digits, 16))
    return _WHITE_SPACE.get(text[1], text[1])


def _decoded_literal(row: str) -> str:
    r"""Return the text of the UTF-8 in a bytes literal; other rows unchanged."""
    if not row.isascii() or not _BYTES_LITERAL.fullmatch(row):
        return row
    return _IN_LITERAL.sub(_byte, row[2:-1]).encode("latin-1").decode(errors="replace")


def _byte(escape: re.Match[str]) -> str:
    r"""Return the byte of `\xe2`, or the text of `\n` and the like."""
    text = escape.group()
    return bytes.fromhex(text[2:]).decode("latin-1") if text[1] == "x" else _WHITE_SPACE.get(text[1], text[1])


# Doubts about a source ------------------------------------------------------------------------------------------------

# Thresholds are far from what tweets, names or poems of any script reach (`tests/engine/corpus/test_cleaning.py`).
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

    A saved web page, a program or a table of numbers would train without an error. `texts` are a sample of its tweets,
    `num_rows` is the number of rows with a text, `num_duplicates` of those that equal an earlier one.
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
