"""Decoding of JSON values, and `TextKey`, which extracts the text of one.

Never converts digits to `int`: Python refuses long ones, and ids are not quantities.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from engine.corpus.readers.json_files.json_paths import (
    Missing,
    array_paths,
    find_text_key,
    is_post,
    shown_paths,
    values_at,
)
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError
from engine.text import EXAMPLE_CHARS, harmless

NOT_JSON = "not JSON"
DECODER = json.JSONDecoder(parse_int=float)
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def decode(text: str) -> object:
    """Decode a value. Raises `ValueError`, also if it is nested too deeply."""
    try:
        return DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def starts_as_lines(text: str) -> bool:
    """Return whether a file starts with an object on one line that is not a list of posts in a wrapper."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{"):
        return False
    try:
        value = decode(first)
    except ValueError:
        return False
    return bool(rest.strip()) or not _is_wrapper_of_array(value)


def _is_wrapper_of_array(value: object) -> bool:
    """Return whether an object is a wrapper of a list of posts rather than a single post."""
    if not isinstance(value, dict) or is_post(value):
        return False
    is_near = any(isinstance(each, list) and each and isinstance(each[0], dict) for each in value.values())
    return is_near or bool(array_paths(value))


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


@dataclass
class TextKey:
    """The key of the tweet in a file's objects: --column, or a known key of the first object."""

    source: Source
    key: str | None
    """Dotted if nested; "" if the values themselves are the tweets; None until the first object."""
    inside: str = ""
    """The path of the array of the objects, with a trailing dot."""
    num_missing: int = 0
    """Number of values without the key."""

    def rows(self, value: object, where: str) -> Iterator[Row]:
        """Yield the rows of an object or a string: one, unless the key leads through an array.

        `where` is its location for examples. Raises `CorpusError` if the first object has no known key.
        """
        if isinstance(value, dict) and self.key is None:
            self.key = self._known_key(value)
        if isinstance(value, dict) and isinstance(text := value.get(self.key or ""), str) and self.key:
            yield text  # fast path
        elif not self.key or not isinstance(value, dict | list):
            yield _text_or_not(value, where)
        else:
            values = values_at(value, self.key)
            for each in chain([next(values, Missing(value))], values):
                yield self._missing(each.beside, where) if isinstance(each, Missing) else _text_or_not(each, where)

    def _missing(self, value: object, where: str) -> DroppedRow:
        """Return the dropped row of a value without the key."""
        self.num_missing += 1
        keys = shown_paths(value) if self.num_missing == 1 else ""  # only the first example is shown
        keys = keys or (", ".join(islice(value, 8)) if isinstance(value, dict) else "")
        return DroppedRow(f"no {self.inside}{self.key}", example(where, f"it has {keys or 'no keys'}"))

    def _known_key(self, record: dict[str, object]) -> str:
        """Return the known key of the first object, and add a note."""
        key = find_text_key(record) or only_array(record, self.source.name)
        if key is None:
            keys = ", ".join(islice(record, 12)) or "no keys"
            raise CorpusError(
                f"{self.source.name} has no known key for the tweet; its first object has {keys}.",
                f"Set the key with --column, dotted if nested: {shown_paths(record) or 'KEY'}.",
            )
        self.source.notes.append(f"texts under {self.inside}{key}")
        return key


def only_array(value: object, name: str) -> str | None:
    """Return the path of the texts in the only array of posts; None without one.

    Raises `CorpusError` if several arrays qualify; `name` is the file in the message.
    """
    paths = array_paths(value)
    if len(paths) > 1:
        shown = " or ".join(harmless(path, 60) for path in paths[:5])
        raise CorpusError(f"{name} has several arrays of texts.", f"Choose one with --column: {shown}.")
    return paths[0] if paths else None


def _text_or_not(value: object, where: str) -> Row:
    """Return a string as a row, any other value as a dropped row."""
    return value if isinstance(value, str) else DroppedRow("not a text", example(where, as_json(value)))
