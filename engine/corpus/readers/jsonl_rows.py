"""JSON lines: every line is an object with the tweet under one key, or a string that is the tweet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from engine.corpus.rows import Row, Unusable
from engine.errors import CorpusError

NOT_JSON = "not JSON"
USUAL_KEYS = ("text", "tweet", "full_text", "content")


def jsonl_rows(lines: Iterable[str], key: str | None, name: str) -> Iterator[Row]:
    """Return one row per line that is not blank; `key` names the tweet, without it the usual ones are tried.

    Raises `CorpusError` where the first object has no such key. `name` is the file's, for the message.
    """
    for line in lines:
        if line.isspace():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):  # also a number of more digits than Python reads
            yield Unusable(NOT_JSON)
            continue
        if isinstance(value, dict) and key is None:
            key = _usual_key(value, name)
        elif isinstance(value, dict) and key not in value:
            yield Unusable(f"no {key}")
            continue
        text = value[key] if isinstance(value, dict) else value
        yield text if isinstance(text, str) else Unusable("not a text")


def _usual_key(record: dict[str, object], name: str) -> str:
    """Return the key that holds the tweet in a file's first object."""
    for key in USUAL_KEYS:
        if isinstance(record.get(key), str):
            return key
    keys = ", ".join(list(record)[:12]) or "none at all"
    raise CorpusError(f"{name}: which key holds the tweet? The first object has {keys}.", "Name it with --column KEY.")
