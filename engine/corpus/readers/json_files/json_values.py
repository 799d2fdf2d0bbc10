"""Values of JSON: how they are decoded, and the text found in one.

Never turns digits into whole numbers (Python refuses long ones, and ids of posts are no quantities), and never follows
nesting deeper than the standard library's decoder does.
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
    """Return the value that `text` is. Raises `ValueError` on whatever is wrong with it, its depth included."""
    try:
        return DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def starts_as_lines(text: str) -> bool:
    """Say whether the beginning of a file is an object that ends with its line, and another line after it, if any."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{"):
        return False
    try:
        value = decode(first)
    except ValueError:
        return False
    return bool(rest.strip()) or not _holds_an_array_of_objects(value)


def _holds_an_array_of_objects(value: object) -> bool:
    """Say whether an object is a list of posts with something around it rather than one post."""
    if not isinstance(value, dict) or is_post(value):
        return False
    is_near = any(isinstance(each, list) and each and isinstance(each[0], dict) for each in value.values())
    return is_near or bool(array_paths(value))


def as_json(value: object) -> str:
    """Return the beginning of a value as JSON."""
    text = ""
    try:
        for piece in _ENCODER.iterencode(value):
            is_whole_number = piece.endswith(".0") and '"' not in piece  # the decoder makes all numbers floats
            text += piece.removesuffix(".0") if is_whole_number else piece
            if len(text) > 4 * EXAMPLE_CHARS:
                break
    except RecursionError:
        return f"{text[:EXAMPLE_CHARS]}… nested too deeply"
    return text


@dataclass
class TextKey:
    """Which key of a file's objects holds the tweet: the one asked for, or a usual one of the first object."""

    source: Source
    key: str | None
    """Dotted where it is nested; "" where the values themselves are the tweets."""
    inside: str = ""
    """The path of the array that the objects are in, with a dot after it."""
    num_missing: int = 0
    """Times that the key was not there."""

    def rows(self, value: object, where: str) -> Iterator[Row]:
        """Yield the rows of an object, or of a string; `where` it stood. Raises `CorpusError` without a usual key.

        One row, unless the key leads through an array.
        """
        if isinstance(value, dict) and self.key is None:
            self.key = self._usual(value)
        if isinstance(value, dict) and isinstance(text := value.get(self.key or ""), str) and self.key:
            yield text  # the most usual case by far
        elif not self.key or not isinstance(value, dict | list):
            yield _text_or_not(value, where)
        else:
            values = values_at(value, self.key)
            for each in chain([next(values, Missing(value))], values):
                yield self._missing(each.beside, where) if isinstance(each, Missing) else _text_or_not(each, where)

    def _missing(self, value: object, where: str) -> DroppedRow:
        """Return why a value has no row: the key is not in it."""
        self.num_missing += 1
        keys = shown_paths(value) if self.num_missing == 1 else ""  # one example is shown, and a look costs time
        keys = keys or (", ".join(islice(value, 8)) if isinstance(value, dict) else "")
        return DroppedRow(f"no {self.inside}{self.key}", example(where, f"it has {keys or 'no keys'}"))

    def _usual(self, record: dict[str, object]) -> str:
        """Return the usual key that the first object has, and note it."""
        key = find_text_key(record) or only_array(record, self.source.name)
        if key is None:
            keys = ", ".join(islice(record, 12)) or "none at all"
            raise CorpusError(
                f"{self.source.name}: which key holds the tweet? The first object has {keys}.",
                f"Name it with --column, dotted where it is nested: {shown_paths(record) or 'KEY'}.",
            )
        self.source.notes.append(f"texts under {self.inside}{key}")
        return key


def only_array(value: object, name: str) -> str | None:
    """Return the path of the texts in the one array of posts that there is; None without one.

    Raises `CorpusError`, which says `name`, where there are several that it may be.
    """
    paths = array_paths(value)
    if len(paths) > 1:
        shown = " or ".join(harmless(path, 60) for path in paths[:5])
        raise CorpusError(f"{name} holds several arrays of texts.", f"Name one with --column: {shown}.")
    return paths[0] if paths else None


def _text_or_not(value: object, where: str) -> Row:
    """Return a value as a row."""
    return value if isinstance(value, str) else DroppedRow("not a text", example(where, as_json(value)))
