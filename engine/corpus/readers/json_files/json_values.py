"""Decoding of JSON values.

Never converts digits to `int`: Python refuses long ones, and ids are not quantities.
"""

from __future__ import annotations

import codecs
import json

from engine.corpus.readers.json_files.json_paths import array_paths, is_post
from engine.text import EXAMPLE_CHARS

NOT_JSON = "not JSON"
DECODER = json.JSONDecoder(parse_int=float)
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def decode(text: str) -> object:
    """Decode a value. Raises `ValueError`, also if it is nested too deeply."""
    try:
        return DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def as_object(value: object) -> dict[str, object]:
    """Return an object as it is, any other value as an empty one."""
    return value if isinstance(value, dict) else {}


def as_array(value: object) -> list[object]:
    """Return an array as it is, any other value as an empty one."""
    return value if isinstance(value, list) else []


def first_char(head: bytes) -> bytes:
    """Return the first character of a file after its byte order mark and white space, by its first bytes."""
    return head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]


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
