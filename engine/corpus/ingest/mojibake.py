"""Repairs mojibake: UTF-8 that was decoded as Windows-1252 or Latin-1 ("donâ€™t"). Never changes a text in doubt.

A text is repaired as a whole or not at all: all of its bytes must be valid UTF-8, which real text with non-ASCII
letters hardly ever is. Since "CAFÉ…" would become "CAFɅ", at least one place must also match `_SIGN`, a sequence that
people do not write.
"""

from __future__ import annotations

import re

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
    """Return `text` decoded correctly, or unchanged if it is not certainly mojibake."""
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
