"""Mojibake: UTF-8 that was read as Windows-1252 or Latin-1 on its way here ("donâ€™t"), read again as what it was.

A text is repaired as a whole or not at all: all of it must be the bytes of UTF-8, which real text of other than ASCII
letters hardly ever is. Hardly ever is not never ("CAFÉ…" would become "CAFɅ"), so one place at least must look like
nothing that a person writes; without such a sign even a text that could be repaired stays as it is.
"""

from __future__ import annotations

import re

MAX_ROUNDS = 3
"""Times that a text can have gone wrong on its way and still be repaired."""

_FIRST_BYTES = re.compile("[\u00c2-\u00f4][^\\x00-\\x7f]")
_BYTE_OF_WINDOWS_CHAR = {ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte)): byte for byte in range(0x80, 0xA0)}
_PUNCTUATION = rb"\x82\x84\x85\x91-\x97\x99\x9b\xa0\xa1\xa9\xaa\xab\xae\xb0\xb4\xb7\xb9-\xbb\xbf"
"""What may stand behind a letter in real text, as Windows-1252: quotation marks, dashes, …, ™, », ª, no-break blank."""
_SIGN = re.compile(
    rb"(?<![A-Z])[\xc2\xc3][\x80-\xbf]"  # é as "Ã©" and ° as "Â°", not behind the capitals of "AMANHÃ…"
    rb"|[\xc2\xc3][^" + _PUNCTUATION + rb"]"
    rb"|[a-z][\xc4-\xca][\x80-\xbf]"  # ł, ę, ș: a capital with an accent inside of a word of small letters
    rb"|(?:[\xc4-\xde][\x80-\xbf]){3}"  # three Greek, Cyrillic, Hebrew or Arabic letters in a row
    rb"|(?<![A-Za-z])\xe2[\x80-\xaf][\x80-\xbf]"  # typographic quotation marks, dashes, symbols
    rb"|\xe2[^" + _PUNCTUATION + rb"][\x80-\xbf]"
    rb"|(?:[\xe0\xe1\xe3-\xed][\x80-\xbf]{2}){2}"  # two letters of Asia in a row
    rb"|\xef(?:\xbb\xbf|\xbf\xbd|\xb8[\x8e\x8f]|[\xbc\xbd][\x80-\xbf])"  # a mark, a lost one, a selector, wide letters
    rb"|\xf0[\x90-\x9f][\x80-\xbf]{2}"  # emoji
)


def repaired(text: str) -> str:
    """Return `text` as it was before it was read in the wrong encoding, or as it is where that is not beyond doubt."""
    for _ in range(MAX_ROUNDS):
        if not _FIRST_BYTES.search(text):  # by far the most texts; the rest of the work is slow
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
