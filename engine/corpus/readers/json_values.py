"""Recognizes JSON, and reads a document: `JsonFile` splits it into undecoded values, and decodes them one at a time.

`msgspec` splits an array or an object at 2 GB/s, so that memory is that of the file and of one item. It refuses `NaN`
and half a surrogate pair, which people's files have; so the standard decoder decodes the items, and is the way through
a file that `msgspec` refuses: a damaged one, or several values that follow one another. Never converts digits to `int`:
Python refuses long ones, and ids are not quantities.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Generator, Iterator
from itertools import chain, islice
from typing import Any, BinaryIO

import msgspec

from engine.corpus.files.streams import Member
from engine.corpus.readers.columns import is_text_name
from engine.corpus.readers.json_paths import EXAMINED_ITEMS, is_id, is_index, is_map, is_wrapper
from engine.corpus.readers.reader import DroppedRow, Source, example, whole
from engine.corpus.readers.text_reader import decoded_lines
from engine.errors import CorpusError
from engine.text import EXAMPLE_CHARS

NOT_JSON = "not JSON"
MAX_VALUES = 1 << 26
"""Limit of the values in a file, by its commas: one per 16 bytes of 1 GB. An undecoded one needs 56 bytes."""
MAX_DECODED_BYTES = 64 << 20
"""Limit of an item, and of a file that `msgspec` refuses."""

MAX_LINE_BYTES = 10_000_000
"""Limit of a line: a page of 500 tweets with all fields and expansions has about 5 MB."""

_ITEMS = re.compile(
    r"""\[\s*(?:\]|\{\s*["}]|"(?:[^"\\]|\\.)*"\s*[,\]]|\[\s*(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|null)\s*[,\]])"""
)
_OBJECT = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')
_LONG_LINE_BYTES = 1000
_DECODER = json.JSONDecoder(parse_int=float)
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_BLOCK_BYTES = 1 << 20
_SMALL_BYTES = 64 << 10
"""Values up to this size are examined as a whole."""
_MAX_KEYS, _MAX_DEPTH = 1000, 8
_BLANKS = re.compile(r"[ \t\r\n]*")
_ARRAY = re.compile(rb"[ \t\r\n]*\[")
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]")
_AS_WINDOWS_1252 = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}
_KINDS: dict[bytes, Any] = {b"[": list[msgspec.Raw], b"{": dict[str, msgspec.Raw]}


class JsonFile:
    """The content of a file. A value in it is undecoded (`msgspec.Raw`) as long as possible."""

    def __init__(self, member: Member, source: Source) -> None:
        """Read a file; bytes that are not UTF-8 are decoded as Windows-1252, one by one.

        Raises `CorpusError` if it exceeds the limit of `whole`, or `MAX_VALUES`.
        """
        self._name = source.name_of(member)
        self.data, self.num_windows_chars = _in_utf8(whole(member, source).removeprefix(codecs.BOM_UTF8))
        """The content in UTF-8, without a byte order mark, and the number of characters decoded as Windows-1252."""
        self.start = 0
        """Where its JSON begins: callers set it to skip an assignment in ASCII."""
        self.hint = "It may be truncated or damaged: download it again, or fix that line."
        """The hint of an error of invalid JSON."""
        self.num_decoded = 0
        """Bytes or characters of the items that were decoded so far."""
        if self.data.count(b",") > MAX_VALUES:
            raise CorpusError(
                f"{self._name} has over {MAX_VALUES:,} values, too many to be read as a whole.",
                "Save it as JSON Lines, one value per line, or split it.",
            )

    @property
    def is_array(self) -> bool:
        """Whether it begins with an array."""
        return _ARRAY.match(self.data, self.start) is not None

    def root(self) -> object:
        """Return the only value; None if several follow one another, or none. Raises `CorpusError` if it is invalid."""
        try:
            return msgspec.json.decode(memoryview(self.data)[self.start :], type=msgspec.Raw)
        except (msgspec.DecodeError, RecursionError) as error:
            text = self._text(error)
        value, end = self._decoded_at(text, _after_blanks(text, self.start))
        return value if _after_blanks(text, end) == len(text) else None

    def items(self) -> Iterator[object]:
        """Yield the items of an array, or of several that follow one another, or else the values that do, decoded.

        Raises `CorpusError`, after the items before it, at one that is invalid.
        """
        if not self.is_array:
            yield from self._one_by_one()
            return
        try:
            items = msgspec.json.decode(memoryview(self.data)[self.start :], type=list[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            yield from self._one_by_one(error)
        else:
            yield from map(self.decoded, items)

    def arrays(self) -> Iterator[tuple[tuple[str, ...], Iterator[object]]]:
        """Yield each array inside the objects of the only value, as (path, items); arrays in arrays are in items."""
        if self.is_array:
            yield (), self.items()
        else:
            yield from self._arrays_in(self.root(), ())

    def _arrays_in(self, value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Iterator[object]]]:
        value = self.opened(value)
        if isinstance(value, list):
            yield path, map(self.decoded, value)
        elif isinstance(value, dict) and len(path) < _MAX_DEPTH:
            for key, inner in value.items():
                yield from self._arrays_in(inner, (*path, key))

    def opened(self, value: object) -> object:
        """Return an undecoded array or object with its values undecoded; anything else decoded."""
        if not isinstance(value, msgspec.Raw):
            return value
        kind = _KINDS.get(bytes(memoryview(value)[:1]))
        try:
            return msgspec.json.decode(value, type=kind) if kind else self.decoded(value)
        except (msgspec.DecodeError, RecursionError):  # half a surrogate pair in a key
            return self.decoded(value)

    def decoded(self, value: object) -> object:
        """Return a value decoded. Raises `CorpusError` if it exceeds `MAX_DECODED_BYTES` or is nested too deeply."""
        if not isinstance(value, msgspec.Raw):
            return value
        data = bytes(value)
        self.num_decoded += len(data)
        try:
            if len(data) <= MAX_DECODED_BYTES:
                return _DECODER.decode(data.decode())
        except (RecursionError, ValueError) as error:  # nested too deeply for the standard decoder, not for `msgspec`
            raise self._broken("nested too deeply", self._before(data)) from error
        raise CorpusError(
            f"{self._name} has a value of over {MAX_DECODED_BYTES >> 20} MB, {_place(self._before(data))}.",
            "It must be an array with one object or string per tweet.",
        )

    def head(self, value: object, depth: int = 0) -> object:
        """Return a value decoded, of its long arrays and objects by id only the first items."""
        if not isinstance(value, msgspec.Raw) or len(value) <= _SMALL_BYTES:
            return self.decoded(value)
        opened = self.opened(value) if depth < _MAX_DEPTH else None
        if isinstance(opened, list):
            return [self.head(each, depth + 1) for each in opened[:EXAMINED_ITEMS]]
        if isinstance(opened, dict):
            members = islice(opened.items(), _MAX_KEYS)
            first = {key: self.head(each, depth + 1) for key, each in islice(members, EXAMINED_ITEMS)}
            return first if is_map(first) else first | {key: self.head(each, depth + 1) for key, each in members}
        return opened

    def array_on(self, value: object, path: str) -> tuple[str, Collection[object], str] | None:
        """Return the first array or object by id on a path: its own path with a final dot, its items, and the rest.

        Returns None if the path leads through none, or to a certain item.
        """
        inside = ""
        while True:
            opened = self.opened(value)
            if isinstance(opened, list):
                return None if is_index(path.partition(".")[0]) else (inside, opened, path)
            if not isinstance(opened, dict):
                return None
            key = path if path in opened else path.partition(".")[0]  # a key may contain dots
            if not path or key not in opened:
                first = {key: self.opened(each) for key, each in islice(opened.items(), EXAMINED_ITEMS)}
                return (inside, opened.values(), path) if is_map(first) else None
            value, inside, path = opened[key], f"{inside}{key}.", path[len(key) + 1 :]

    def columns(self, value: object, head: object) -> dict[str, list[object]]:
        """Return the undecoded cells of a table of columns, by their names; {} for another value. `head` is its head.

        `DataFrame.to_json()` writes `{"text": {"0": ..., "1": ...}, "id": {"0": ...}}`; arrays of equal length are
        columns too. If rows and columns have numbers, there are more rows than columns.
        """
        columns = self.opened(value)
        if not isinstance(columns, dict) or not isinstance(head, dict) or not all(map(_cells, head.values())):
            return {}
        keys = {tuple(column) for column in head.values() if isinstance(column, dict)}
        are_objects = len(keys) == 1 and all(isinstance(column, dict) for column in head.values())
        are_named = any(map(is_text_name, head))
        has_ids = are_objects and all(map(is_id, chain(*keys, () if are_named else head)))
        if not has_ids and not (are_named and len(head) > 1 and (are_objects or not keys)):
            return {}
        cells = [_cells(self.opened(column)) for column in columns.values()]
        if len(set(map(len, cells))) > 1 or not cells[0]:
            return {}
        if are_named:
            return dict(zip(columns, cells, strict=True))
        cells = cells if len(cells[0]) >= len(cells) else [list(row) for row in zip(*cells, strict=True)]
        return {f"column {number}": column for number, column in enumerate(cells, start=1)}

    def _one_by_one(self, error: Exception | None = None) -> Iterator[object]:
        """Yield the values that follow one another, or the items of the arrays that do; `error` is of `msgspec`."""
        text = self._text(error)
        is_array = self.is_array
        at = _after_blanks(text, self.start)
        while at < len(text):
            if is_array:
                at = yield from self._items_at(text, at)
            else:
                value, at = self._decoded_at(text, at)
                yield value
            at = _after_blanks(text, at)

    def _items_at(self, text: str, at: int) -> Generator[object, None, int]:
        """Yield the items of the array at a position, and return that of its end."""
        if text[at] != "[":
            raise self._broken("there is data after its end", text[:at])
        at = _after_blanks(text, at + 1)
        if text.startswith("]", at):
            return at + 1
        while True:
            value, at = self._decoded_at(text, at)
            yield value
            at = _after_blanks(text, at)
            if text.startswith("]", at):
                return at + 1
            if not text.startswith(",", at):
                raise self._broken("Expecting ',' delimiter", text[:at])
            at = _after_blanks(text, at + 1)

    def _decoded_at(self, text: str, at: int) -> tuple[object, int]:
        """Return the value at a position, and the position of its end."""
        try:
            value, self.num_decoded = _DECODER.raw_decode(text, at)
        except RecursionError as error:
            raise self._broken("nested too deeply", text[:at]) from error
        except json.JSONDecodeError as error:
            raise self._broken(error.msg.removesuffix(" at"), text[: error.pos]) from error
        return value, self.num_decoded

    def _text(self, error: Exception | None) -> str:
        """Return the content as a text. Raises `CorpusError` if it exceeds `MAX_DECODED_BYTES`; `error` says why."""
        if len(self.data) <= MAX_DECODED_BYTES:
            return self.data.decode()
        problem, _, place = str(error or "several values").removeprefix("JSON is malformed: ").partition(" (byte ")
        self.hint = (
            f"In a file of over {MAX_DECODED_BYTES >> 20} MB, NaN, half a surrogate pair and several values are read "
            "only as JSON Lines: write one value per line, or fix that line."
        )
        position = self.start + int(place.rstrip(")")) if place else len(self.data)
        raise self._broken(problem, self.data[:position].decode(errors="replace"))

    def _before(self, data: bytes) -> str:
        """Return the text before a value with this content."""
        return self.data[: self.data.find(data)].decode()

    def _broken(self, problem: str, before: str) -> CorpusError:
        """Return the error of invalid JSON after this text."""
        return CorpusError(f"{self._name} is not valid JSON {_place(before)}: {problem}.", self.hint)


# Detection ------------------------------------------------------------------------------------------------------------


def is_json(head: bytes) -> bool:
    """Return whether a file starts as an array of objects or strings, or as an object of several lines."""
    text = head.decode("utf-8-sig", "replace").lstrip()
    return _ITEMS.match(text) is not None or (_OBJECT.match(text) is not None and not is_jsonl(head))


def is_jsonl(head: bytes) -> bool:
    """Return whether a file starts with an object on one line that is not a list of posts in a wrapper."""
    first, _, rest = head.decode("utf-8-sig", "replace").lstrip().partition("\n")
    try:
        value = decode(first) if first.startswith("{") else None
    except ValueError:
        return False
    return isinstance(value, dict) and (bool(rest.strip()) or not is_wrapper(value))


def is_one_line(head: bytes) -> bool:
    """Return whether a file is a single line, which is valid as JSON and as JSON Lines."""
    return b"\n" not in head.strip()


def is_first_line(head: bytes) -> bool:
    """Return whether a file that is called .jsonl has a whole value in its first line, as far as `head` shows.

    A JSON document with line breaks has not, whatever its name; a damaged or long line has.
    """
    first = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0].rstrip()
    is_whole = len(first) > _LONG_LINE_BYTES or not first.endswith((b"{", b"[", b","))
    return is_whole and first.startswith((b"{", b"[", b'"'))


def goes_on_as_lines(file: BinaryIO) -> bool:
    """Return whether the current line of `file` is followed by one that starts as an object or array."""
    line = file.readline(MAX_LINE_BYTES)
    return line.endswith(b"\n") and file.read(_LONG_LINE_BYTES).lstrip().startswith((b"{", b"["))


def first_char(head: bytes) -> bytes:
    """Return the first character of a file after its byte order mark and white space, by its first bytes."""
    return head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]


# Values ---------------------------------------------------------------------------------------------------------------

Numbered = tuple[int, object, int]
"""A number in the file from 1, the value or why it is dropped, and the characters of the file up to its end."""


def values_of_lines(file: BinaryIO, source: Source) -> Iterator[Numbered]:
    """Yield the values of the lines that are not blank, or why a line is dropped."""
    num_chars = 0
    for number, line in enumerate(decoded_lines(file, source, MAX_LINE_BYTES), start=1):
        if isinstance(line, DroppedRow):
            yield number, line, num_chars
        elif line and not line.isspace():
            num_chars += len(line)
            try:
                value: object = decode(line)
            except ValueError:
                value = DroppedRow(NOT_JSON, example(f"line {number:,}", line))
            yield number, value, num_chars


def decode(text: str) -> object:
    """Decode a value. Raises `ValueError`, also if it is nested too deeply."""
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def as_object(value: object) -> dict[str, object]:
    """Return an object as it is, any other value as an empty one."""
    return value if isinstance(value, dict) else {}


def as_array(value: object) -> list[object]:
    """Return an array as it is, any other value as an empty one."""
    return value if isinstance(value, list) else []


def as_json(value: object) -> str:
    """Return the start of a value as JSON, for an example."""
    text = ""
    try:
        for piece in _ENCODER.iterencode(value):
            is_whole_number = piece.endswith(".0") and '"' not in piece  # the decoder converts all numbers to floats
            text += piece.removesuffix(".0") if is_whole_number else piece
            if len(text) > 4 * EXAMPLE_CHARS:
                break
    except RecursionError:
        return f"{text[:EXAMPLE_CHARS]}… nested too deeply"
    return text


def _cells(column: object) -> list[object]:
    """Return the cells of a column; an empty list if it has none, or any of them is an object or array."""
    cells = list(column.values()) if isinstance(column, dict) else as_array(column)
    return [] if any(isinstance(cell, dict | list) for cell in cells) else cells


def _after_blanks(text: str, position: int) -> int:
    """Return the position of the next character that is not blank."""
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


def _place(before: str) -> str:
    """Return the line and character after a text, for a message."""
    line = before.count("\n") + 1
    return f"near line {line:,} (character {len(before) + 1:,})"


def _in_utf8(data: bytes) -> tuple[bytes, int]:
    """Return the content of a file in UTF-8, and the number of its bytes that were read as Windows-1252."""
    starts = range(0, len(data), _BLOCK_BYTES)  # in blocks, since the whole text may need four times as much
    try:
        for _ in codecs.iterdecode((data[at : at + _BLOCK_BYTES] for at in starts), "utf-8"):
            pass
    except UnicodeDecodeError:
        pieces, num_escaped = [], 0
        for text in codecs.iterdecode((data[at : at + _BLOCK_BYTES] for at in starts), "utf-8", "surrogateescape"):
            num_escaped += len(_ESCAPED_BYTES.findall(text))
            pieces.append(text.translate(_AS_WINDOWS_1252).encode())
        return b"".join(pieces), num_escaped
    return data, 0
