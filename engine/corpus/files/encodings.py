"""Converts text files in other encodings to UTF-8 as they are read; detects the encoding by the first bytes.

UTF-16 and UTF-32 are detected by their byte order mark, UTF-16 without one by its NUL bytes, others by `chardet`, but
only where decoding each line as UTF-8, or else as Windows-1252, is wrong: not in UTF-8, not in files that mix it with
another encoding, and not for a few odd bytes. As in browsers, an encoding is decoded as its superset: GBK as GB18030,
EUC-KR as CP949.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from engine.corpus.files.refused import NOT_TEXT, refusal_as_text
from engine.corpus.files.streams import BUFFER_BYTES, ByteStream, Member, buffered

_MARKS = (  # the longer first: UTF-32 LE begins like UTF-16 LE
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LINE_BY_LINE = ("cp1252", "iso8859-1")
_LATIN = (*_LINE_BY_LINE, "cp1250", "cp1254", "cp1257", "cp1258", "iso8859-2", "iso8859-9", "iso8859-13")
"""Codecs of Latin letters: most bytes beyond ASCII have neighbours in ASCII."""
_SINGLE_BYTE = (
    *_LATIN,
    *("cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp866", "cp1253", "iso8859-7"),
    *("cp1255", "iso8859-8", "cp1256", "iso8859-6", "cp874"),
)
_MULTI_BYTE = ("gb18030", "big5hkscs", "cp949", "cp932", "euc_jis_2004")
_NAMES = {"gb18030": "GBK", "cp950": "Big5", "big5hkscs": "Big5", "cp949": "EUC-KR", "cp932": "Shift_JIS"}
_NAMES |= {"euc_jis_2004": "EUC-JP"} | {f"cp125{number}": f"Windows-125{number}" for number in range(9)}
"""Usual names of codecs, if they differ."""
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "big5": "cp950", "tis-620": "cp874"}
_SUPERSETS |= {"shift_jis": "cp932", "euc_jp": "euc_jis_2004", "iso8859-1": "cp1252", "iso8859-9": "cp1254"}
_SUPERSETS |= {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}  # without a byte order mark
_MIN_LATIN_NULS = 0.3
"""Share of UTF-16 code units with a NUL byte from which these are the letters of a text, with or without line ends."""
_MAX_INVALID_UNITS = 0.01
_MIN_BYTES, _MIN_DISTINCT = 20, 6
"""Least bytes beyond ASCII for a detection, and how many of them must differ: rows of dots are no other script."""
_MIN_OTHER_LINES = 0.9
"""Least share of lines that are not UTF-8, of the lines beyond ASCII."""
_MAX_UTF8 = 0.8
"""Greatest share of bytes in valid UTF-8 sequences; of GBK, EUC-KR and the like, up to half are by chance."""
_MIN_IN_RUNS = 0.6
"""Least share of the bytes beyond ASCII that follow or precede another, for scripts other than Latin."""
_MIN_LATIN_RATIO = 1.6
"""Least confidence in another codec of Latin letters, relative to Windows-1252: of Spanish, both are alike."""
_PART_BYTES = 100
_MAX_PARTS = 9
"""Parts of a file, with at least so many bytes beyond ASCII each, by which a multi-byte encoding is detected."""
_DOUBTFUL = 0.4
"""Confidence below which the usual characters of East Asian texts decide: `chardet` finds no language in a few of them.
"""
_EAST_ASIAN = ("cp932", "gb18030", "cp949")
_USUAL_CHARS = re.compile("[\u2018-\u201d\u2014\u2026\u3001-\u3011\uff01-\uff1f\u3041-\u30fc]")
"""Punctuation, kana and other characters that are in most lines, whatever they are about."""
_MIN_USUAL_SHARE = 0.5
_KANA = re.compile("[\u3041-\u30fc]")
_MIN_KANA_SHARE = 0.2
_COLORS = re.compile(rb"\x1b\[[\d;]*m")
"""Colours of a terminal, in output that was saved; `chardet` takes the escape for one of ISO-2022."""
_ASCII = bytes(range(0x80))
_RUN = re.compile(rb"[\x80-\xff]{2,}")


@dataclass(frozen=True)
class Encoding:
    """An encoding of text files other than UTF-8."""

    name: str
    """For the report."""
    codec: str
    """Name of Python's codec that decodes it."""


class _Transcoder(ByteStream):
    """A stream converted to UTF-8; invalid bytes become U+FFFD, which cleaning counts."""

    def __init__(self, file: BinaryIO, codec: str, head: bytes) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(codec)(errors="replace")
        self._ready = self._decoder.decode(head).encode("utf-8", "replace")

    def next_bytes(self, max_bytes: int) -> bytes:
        is_last = False
        while not self._ready and not is_last:
            data = self._file.read(BUFFER_BYTES)
            is_last = not data
            self._ready = self._decoder.decode(data, final=is_last).encode("utf-8", "replace")
        data, self._ready = self._ready[:max_bytes], self._ready[max_bytes:]
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def converted(file: BinaryIO, encoding: Encoding, head: bytes = b"") -> BinaryIO:
    """Return a file converted to UTF-8; `head` has been read from it already."""
    return buffered(_Transcoder(file, encoding.codec, head))


def in_utf8(member: Member, encoding: Encoding) -> Member:
    """Return the member converted to UTF-8 when it is read; bytes that are invalid in `encoding` become U+FFFD."""
    return replace(member, open=lambda: converted(member.open(), encoding), encoding=encoding.name)


def encoding_of(head: bytes, named: str | None) -> Encoding | None:
    """Return the encoding of a text file with these first bytes; None if it is to be decoded line by line.

    `named` is that of `CorpusConfig.encoding`; a byte order mark overrules it.
    """
    if marked := marked_encoding(head):
        return marked
    if named is not None:
        return encoding_named(named)
    refusal = refusal_as_text(head)
    if refusal is NOT_TEXT:
        return unmarked_utf_16(head)
    return None if refusal else detected_encoding(head)


def encoding_named(name: str) -> Encoding:
    """Return the encoding of a valid `CorpusConfig.encoding`."""
    codec = codecs.lookup(name).name
    return Encoding(name, _SUPERSETS.get(codec, codec))


def marked_encoding(head: bytes) -> Encoding | None:
    """Return the encoding of a file by its byte order mark; None if it has none, or that of UTF-8."""
    return next((Encoding(name, name) for mark, name in _MARKS if head.startswith(mark)), None)


def unmarked_utf_16(head: bytes) -> Encoding | None:
    """Return UTF-16 without a byte order mark if a file has these first bytes, else None.

    The NUL bytes of its Latin letters or of its line ends are at even or at odd places, and nearly all code units are
    assigned characters, which those of pictures or programs are not.
    """
    for name, place in (("UTF-16LE", 1), ("UTF-16BE", 0)):
        share = 2 * head[place::2].count(0) / max(1, len(head))
        text = codecs.decode(head[: len(head) // 2 * 2], name, "replace") if share else ""
        has_letters = share >= _MIN_LATIN_NULS or not {"\n", "\r"}.isdisjoint(text)
        if has_letters and sum(map(_is_invalid, text)) <= _MAX_INVALID_UNITS * len(text):
            return Encoding(name, codecs.lookup(name).name)
    return None


def _is_invalid(char: str) -> bool:
    return char == "\ufffd" or (unicodedata.category(char) in {"Cc", "Cn", "Co"} and not char.isspace())


def detected_encoding(head: bytes) -> Encoding | None:
    """Return the encoding of a text file with these first bytes; None if it is to be decoded line by line."""
    if head.isascii() or _is_utf8(head):
        return None
    if b"\0" in head and (utf_16 := unmarked_utf_16(head)):
        return utf_16
    lines = [line for line in head.splitlines() if not line.isascii()]
    others = [_COLORS.sub(b"", line) for line in lines if not _is_utf8(line)]
    sample = b"\n".join(others)
    odd_bytes = _beyond_ascii(sample)
    utf8_bytes = _beyond_ascii(sample.decode(errors="ignore").encode())
    is_mixed = len(others) < _MIN_OTHER_LINES * len(lines) or len(utf8_bytes) > _MAX_UTF8 * len(odd_bytes)
    are_few = len(odd_bytes) < _MIN_BYTES or len(set(odd_bytes)) < _MIN_DISTINCT
    return None if is_mixed or are_few else _detected(others)


def _is_utf8(data: bytes) -> bool:
    """Return whether the bytes beyond ASCII are valid UTF-8, except for an incomplete character at the end."""
    try:
        text, _ = codecs.utf_8_decode(data, "surrogatepass", False)  # noqa: FBT003 - positional only: not final
    except UnicodeDecodeError:
        return False
    return not text.isascii()


def _beyond_ascii(data: bytes) -> bytes:
    return data.translate(None, _ASCII)


def _detected(lines: list[bytes]) -> Encoding | None:
    """Return the encoding of lines that are not UTF-8; None for Windows-1252, or if none fits."""
    sample = b"\n".join(lines)
    if sum(map(len, _RUN.findall(sample))) <= _MIN_IN_RUNS * len(_beyond_ascii(sample)):
        codec = _latin_codec(sample)
    else:  # by a majority of parts: one damaged line excludes a multi-byte encoding
        codec = Counter(map(_vote, _parts(lines))).most_common(1)[0][0]
        codec = codec if codec in _MULTI_BYTE else _guess(sample, _SINGLE_BYTE)[0]
    if codec in _LINE_BY_LINE:
        return None
    if codec == "big5hkscs":  # Big5 is far more common, and its ～ is another character
        lost, lost_in_big5 = (sample.decode(each, "replace").count("\ufffd") for each in (codec, "cp950"))
        codec = "cp950" if lost_in_big5 <= lost else codec
    return Encoding(_NAMES.get(codec, codec.upper().replace("ISO", "ISO-")), _SUPERSETS.get(codec, codec))


def _latin_codec(sample: bytes) -> str:
    """Return the codec of a text in Latin letters: that of Windows-1252, unless another is far more probable."""
    import chardet

    found = chardet.detect_all(sample, ignore_threshold=True, include_encodings=_LATIN, compat_names=False)
    confidences = {each["encoding"]: each["confidence"] for each in found}
    best = max(confidences, key=lambda codec: confidences[codec])
    western = max(confidences.get(codec, 0.0) for codec in _LINE_BY_LINE)
    return best if best and confidences[best] >= _MIN_LATIN_RATIO * western else "cp1252"


def _guess(sample: bytes, codecs_to_try: Sequence[str]) -> tuple[str, float]:
    """Return the most probable codec of a text, that of Windows-1252 if none fits, and the confidence, 0 to 1."""
    import chardet  # takes 50 ms, for a few files

    found = chardet.detect(sample, include_encodings=codecs_to_try, compat_names=False, no_match_encoding="cp1252")
    return found["encoding"] or "cp1252", found["confidence"]


def _parts(lines: list[bytes]) -> list[bytes]:
    """Return some parts of a text, evenly distributed."""
    parts: list[bytes] = []
    part: list[bytes] = []
    num_bytes = 0
    for line in lines:
        part.append(line)
        num_bytes += len(_beyond_ascii(line))
        if num_bytes >= _PART_BYTES:
            parts.append(b"\n".join(part))
            part, num_bytes = [], 0
    parts = parts or [b"\n".join(part)]
    return parts[:: 1 + len(parts) // _MAX_PARTS]


def _vote(part: bytes) -> str:
    """Return the most probable codec of a part of a text in runs."""
    codec, confidence = _guess(part, _SINGLE_BYTE + _MULTI_BYTE)
    if confidence < _DOUBTFUL:
        shares = {each: _share_of(_USUAL_CHARS, part, each) for each in _EAST_ASIAN}
        best = max(shares, key=lambda each: shares[each])
        codec = best if shares[best] >= _MIN_USUAL_SHARE else codec
    if codec == "gb18030" and _share_of(_KANA, part, "euc_jis_2004") >= _MIN_KANA_SHARE:
        return "euc_jis_2004"  # its kana are the same bytes in GBK, where they are rare
    return codec


def _share_of(chars: re.Pattern[str], part: bytes, codec: str) -> float:
    """Return the share of `chars` in those beyond ASCII; 0 if the bytes are invalid, but for one at the end."""
    try:
        text = codecs.getincrementaldecoder(codec)().decode(part)
    except UnicodeDecodeError:
        return 0.0
    return len(chars.findall(text)) / max(1, sum(not char.isascii() for char in text))
