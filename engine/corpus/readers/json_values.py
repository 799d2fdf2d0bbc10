"""Values of JSON: how they are decoded, and the text found in one.

Never turns digits into whole numbers (Python refuses long ones, and ids of posts are no quantities), and never follows
nesting deeper than the standard library's decoder does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice

from engine.corpus.rows import Row, Unusable
from engine.corpus.source import Source
from engine.errors import CorpusError
from engine.text import EXAMPLE_CHARS, harmless

NOT_JSON = "not JSON"
USUAL_KEYS = ("full_text", "text", "tweet", "content", "body", "message", "status", "post")

_WRAPPERS = ("tweet", "data", "record", "value", "post", "status")
DECODER = json.JSONDecoder(parse_int=float)


def decode(text: str) -> object:
    """Return the value that `text` is. Raises `ValueError` on whatever is wrong with it, its depth included."""
    try:
        return DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def example(where: str, what: str) -> str:
    """Return the beginning of what was dropped, and where it stood."""
    return harmless(f"{where}: {what[: 4 * EXAMPLE_CHARS]}", EXAMPLE_CHARS)


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
    if not isinstance(value, dict) or find_text_key(value) is not None:
        return False
    return any(isinstance(each, list) and each and isinstance(each[0], dict) for each in value.values())


def lookup(value: object, path: str) -> object:
    """Return what stands in `value` under a key or a dotted path (numbers count in arrays, from 0).

    Raises `KeyError` where there is nothing.
    """
    if isinstance(value, dict) and path in value:
        return value[path]
    for part in path.split("."):
        if isinstance(value, dict):
            value = value[part]
        elif (
            isinstance(value, list) and part.isascii() and part.isdecimal() and len(part) < 9 and int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            raise KeyError(path)
    return value


def find_text_key(record: dict[str, object]) -> str | None:
    """Return the usual key, dotted where it stands in a usual wrapper, under which an object has its text."""
    for key in USUAL_KEYS:
        if isinstance(record.get(key), str):
            return key
    for wrapper in _WRAPPERS:
        inner = record.get(wrapper)
        if isinstance(inner, dict):
            inner_key = next((key for key in USUAL_KEYS if isinstance(inner.get(key), str)), None)
            if inner_key:
                return f"{wrapper}.{inner_key}"
    return None


@dataclass
class TextKey:
    """Which key of a file's objects holds the tweet: the one asked for, or a usual one of the first object."""

    source: Source
    key: str | None

    def row(self, value: object, where: str) -> Row:
        """Return the row of an object, or of a string; `where` it stood. Raises `CorpusError` without a usual key."""
        if isinstance(value, dict) and self.key is None:
            self.key = self._usual(value)
        if self.key is None or not isinstance(value, dict | list):
            return value if isinstance(value, str) else Unusable("not a text", example(where, str(value)))
        try:
            text = lookup(value, self.key)
        except KeyError:
            keys = ", ".join(islice(value, 8)) if isinstance(value, dict) else "no keys"
            return Unusable(f"no {self.key}", example(where, f"it has {keys or 'no keys'}"))
        return text if isinstance(text, str) else Unusable("not a text", example(where, str(text)))

    def _usual(self, record: dict[str, object]) -> str:
        """Return the usual key that the first object has, and note it."""
        key = find_text_key(record)
        if key is None:
            keys = ", ".join(list(record)[:12]) or "none at all"
            raise CorpusError(
                f"{self.source.name}: which key holds the tweet? The first object has {keys}.",
                "Name it with --column KEY, dotted where it is nested.",
            )
        self.source.notes.append(f"tweets under the key {key}")
        return key
