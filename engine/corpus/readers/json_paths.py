"""Paths into JSON values, and which of them leads to the texts.

A path is dotted, and implicitly descends into every item of an array and of an object by id: "posts.text" is the text
of every post. `{"123": {"text": ...}, "124": ...}` and `DataFrame.to_json(orient="index")` are objects by id. The text
is chosen as the column of a table is, among an object's own keys and those in a known wrapper. Never recurses, and
detection examines a bounded part of a value.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from engine.corpus.readers.columns import USUAL, is_context, is_text_name, name_key, text_column
from engine.errors import CorpusError
from engine.text import sanitize_line

EXAMINED_ITEMS = 20
"""First items of an array by which the texts are found in it."""

_ARRAY_NAMES = frozenset({"tweets", "texts", "posts", "statuses", "messages", "data", "items", "rows"})
_ROW_NAMES = ("data", "values", "rows")
"""Keys of arrays that have the rows of a table."""
_WRAPPERS = (
    *("tweet", "data", "record", "value", "post", "status", "node", "item", "note", "object", "attributes"),
    *("legacy", "row", "_source", "doc", "properties"),
)
"""The last ones are of X's website, rows of a Hugging Face data set, Elasticsearch, CouchDB and GeoJSON."""
_CONTEXT_KEYS = frozenset(
    {"includes", "entities", "extended_entities", "quoted_status", "retweeted_status", "referenced_tweets", "errors"}
)
"""Keys of what posts refer to, such as other people's posts and hashtags: no texts are looked for in them."""
_CERTAIN_NAMES = frozenset({"full_text", "text", "tweet", "tweet_text", "content", "raw_content", "body", "selftext"})
"""API responses use the other usual names beside the posts, too: {"status": "ok", "data": [...]}."""
_RECORD_KEYS = frozenset({"data", "includes", "meta", "user", "author", "note", "object", "item", "node", "record"})
_ID = re.compile(r"-?\d+(?:\.\d+)?")
_MIN_MEMBERS = 3
_MAX_COLUMNS = 10_000
_MAX_NAMES = 200
_MAX_DEPTH = 5
_MAX_VISITS = 50_000
_MAX_SHOWN, _MAX_SHOWN_CHARS = 5, 60


# Arrays, and objects that count as such -------------------------------------------------------------------------------


def is_id(key: str) -> bool:
    """Return whether a key is a number, as the ids of tweets and the index of a table are."""
    return _ID.fullmatch(key) is not None


def is_map(value: dict[str, object]) -> bool:
    """Return whether the values of an object are items: its keys are numbers, or its values objects of one shape."""
    keys = list(islice(value, EXAMINED_ITEMS))
    if keys and all(map(is_id, keys)):
        return True
    shapes = [set(item) for key in keys if isinstance(item := value[key], dict)]
    if len(shapes) < max(_MIN_MEMBERS, len(keys)) or any(key in _RECORD_KEYS or is_text_name(key) for key in keys):
        return False
    common, all_keys = set.intersection(*shapes), set.union(*shapes)
    return 2 * len(common) >= len(all_keys) > 0 and not all(map(is_id, all_keys))


def items_of(value: object) -> Collection[object] | None:
    """Return the items of an array or of an object by id; None for anything else."""
    if isinstance(value, list):
        return value
    return value.values() if isinstance(value, dict) and is_map(value) else None


def is_table_row(value: object) -> bool:
    """Return whether a value is an array of strings, numbers and nulls, with at least one string.

    An object whose keys are numbers counts as the array of its values: pandas writes columns without names so.
    """
    if isinstance(value, dict):
        value = list(value.values()) if 0 < len(value) <= _MAX_COLUMNS and all(map(is_id, value)) else None
    return (
        isinstance(value, list)
        and not any(isinstance(cell, dict | list) for cell in value)
        and any(isinstance(cell, str) for cell in value)
    )


def key_of_rows(document: object) -> str | None:
    """Return the key of a table's rows in a document, beside the names of its columns or without; None for others.

    `DataFrame.to_json(orient="split")` and answers of Google Sheets have such rows.
    """
    if isinstance(document, dict):
        is_named = isinstance(document.get("columns"), list)
        for key in _ROW_NAMES:
            rows = document.get(key)
            if isinstance(rows, list) and rows and (is_table_row(rows[0]) or (is_named and isinstance(rows[0], list))):
                return key
    return None


# Values at a path -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Missing:
    """The result of a path that does not exist."""

    beside: object
    """The value in which the next part of the path is missing."""


def values_at(value: object, path: str) -> Iterator[tuple[object, object]]:
    """Yield the values under a key or a dotted path, each with the object that has it.

    A value is `Missing` where the path ends. A number from 1 indexes an array; at an array or an object by id, any
    other part, and the end of the path, apply to each item.
    """
    parts = path.split(".") if path else []
    rests = [".".join(parts[start:]) for start in range(len(parts))]
    waiting: list[tuple[object, int, object]] = [(value, 0, None)]
    while waiting:
        each, depth, parent = waiting.pop()
        if isinstance(each, dict):
            if depth < len(parts) and rests[depth] in each:  # the last part, or a key that contains dots
                value = each[rests[depth]]
                if isinstance(value, str):
                    yield value, each
                else:
                    waiting.append((value, len(parts), each))
            elif depth < len(parts) and parts[depth] in each:
                waiting.append((each[parts[depth]], depth + 1, each))
            elif is_map(each):
                waiting += [(item, depth, parent) for item in reversed(each.values())]
            else:
                yield (each if depth == len(parts) else Missing(each)), parent
        elif isinstance(each, list) and depth < len(parts) and is_index(parts[depth]):
            index = int(parts[depth]) - 1
            waiting.append((each[index] if 0 <= index < len(each) else Missing(each), depth + 1, parent))
        elif isinstance(each, list):
            waiting += [(item, depth, parent) for item in reversed(each)]
        else:
            yield (each if isinstance(each, Missing) or depth == len(parts) else Missing(each)), parent


def is_index(part: str) -> bool:
    """Return whether a part of a path is an array index."""
    return part.isascii() and part.isdecimal() and len(part) < 9


def has_text_at(value: object, path: str) -> bool:
    """Return whether a path leads to a string."""
    return any(isinstance(each, str) for each, _ in values_at(value, path))


# The path of the texts ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TextPath:
    """Where the texts are in values."""

    path: str
    """ "" if the values are the texts."""
    why: str
    """`USUAL` or `LONGEST`; "" if the user set it."""

    @property
    def is_usual(self) -> bool:
        """Whether it was chosen by its name."""
        return self.why == USUAL

    @property
    def is_certain(self) -> bool:
        """Whether its last key is a usual one of a post's text and of nothing else."""
        return self.is_usual and name_key(self.path.rpartition(".")[2]) in _CERTAIN_NAMES


def text_path(values: Sequence[object], name: str, *, is_document: bool = False) -> TextPath | None:
    """Return the path of the texts in values of a file `name`; None without one. Raises `CorpusError` if it is unclear.

    The texts are under a usual key of the objects, or else of those in the shallowest arrays, or else the longest. In a
    document, arrays come before its own keys, unless these are certain, and its own longest string is no text.
    """
    own = _own_path(values)
    if own is not None and own.is_usual and (own.is_certain or not is_document):
        return own
    found: dict[TextPath, tuple[str, ...]] = {}
    for path, items in arrays_in(values).items():
        inner = _own_path(items)
        are_texts = path[-1] in _ARRAY_NAMES or is_text_name(path[-1]) if path else isinstance(values[0], dict)
        if are_texts and items and isinstance(items[0], str):
            inner = TextPath("", USUAL)
        if inner is not None and (inner.is_usual or not any(map(is_context, path))):
            found.setdefault(TextPath(".".join(filter(None, (*path, inner.path))), inner.why), path)
    usual = [each for each in found if each.is_usual]
    if usual:
        least = min(len(found[each]) for each in usual)
        shallow = [each for each in usual if len(found[each]) == least]
        certain = [each for each in shallow if each.is_certain]
        named = [each for each in shallow if _ARRAY_NAMES.intersection(found[each][-1:])]
        only = next((each[0] for each in (shallow, certain, named) if len(each) == 1), None)
        if only is None:
            shown = " or ".join(sanitize_line(each.path, _MAX_SHOWN_CHARS) for each in usual[:_MAX_SHOWN])
            raise CorpusError(f"{name} has several arrays of texts.", f"Choose one with --column: {shown}.")
        return only
    if own is not None and own.is_usual:
        return own
    if not is_document and any(isinstance(value, str) for value in values):
        return TextPath("", USUAL)
    if not is_document and own is not None:
        return own
    return max(found, key=lambda each: _num_chars(values, each.path), default=None)


def _num_chars(values: Sequence[object], path: str) -> int:
    return sum(len(text) for value in values for text, _ in values_at(value, path) if isinstance(text, str))


def is_wrapper(value: dict[str, object]) -> bool:
    """Return whether an object has a list of posts, rather than being certainly a single post."""
    own = _own_path([value])
    is_post = own is not None and own.is_certain
    firsts = [item for items in arrays_in([value]).values() for item in items[:1]]
    return not is_post and (is_map(value) or any(isinstance(first, dict) for first in firsts))


def arrays_in(values: Sequence[object], *, everywhere: bool = False) -> dict[tuple[str, ...], list[object]]:
    """Return the first items of the arrays in values, and of the objects by id, by their path in the values.

    Unless `everywhere`, without those in what posts refer to and below a number beside other keys.
    """
    found: dict[tuple[str, ...], list[object]] = {}
    waiting: deque[tuple[tuple[str, ...], object]] = deque(((), value) for value in values)
    for _ in range(_MAX_VISITS):
        if not waiting:
            break
        path, each = waiting.popleft()
        if (items := items_of(each)) is not None:
            first = list(islice(items, EXAMINED_ITEMS))
            found.setdefault(path, []).extend(first)
            waiting += [(path, item) for item in first if isinstance(item, dict | list) and not is_table_row(item)]
        elif isinstance(each, dict) and len(path) < _MAX_DEPTH:
            inner = {key: value for key, value in each.items() if isinstance(value, dict | list) and "." not in key}
            searched = inner if everywhere else [key for key in inner if _is_plain(key) and key not in _CONTEXT_KEYS]
            waiting += [((*path, key), inner[key]) for key in searched]
    return found


def _own_path(values: Sequence[object]) -> TextPath | None:
    """Return the path of the texts among the own keys of objects and those in wrappers."""
    records = [dict(_own_texts(value)) for value in values if isinstance(value, dict)]
    names = list(islice(dict.fromkeys(name for record in records for name in record), _MAX_NAMES))
    found = text_column(names, [[record.get(name, "") for name in names] for record in records])
    found = found or text_column(names, [])  # a usual name is enough, even if all posts are links
    return None if found is None else TextPath(names[found.index], found.why)


def _own_texts(record: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the strings of an object and of its wrapper, each with its path."""
    for key, value in record.items():
        if isinstance(value, str) and key not in _CONTEXT_KEYS:
            yield key, value
    for wrapper in _WRAPPERS:
        inner = record.get(wrapper)
        if isinstance(inner, dict):
            yield from ((f"{wrapper}.{key}", value) for key, value in inner.items() if isinstance(value, str))


def _is_plain(key: str) -> bool:
    """Return whether a key can be a part of a path."""
    return bool(key) and "." not in key and not is_index(key)


def shown_paths(value: object) -> str:
    """Return the paths of the strings in `value` for a message, the longest string first; "" without any."""
    lengths: dict[str, int] = {}
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), value)])
    for _ in range(_MAX_VISITS):
        if not waiting:
            break
        path, each = waiting.popleft()
        if (items := items_of(each)) is not None:
            waiting += [(path, item) for item in islice(items, EXAMINED_ITEMS)]
        elif isinstance(each, dict) and len(path) <= _MAX_DEPTH:
            waiting += [((*path, key), inner) for key, inner in each.items() if _is_plain(key)]
        elif isinstance(each, str) and path:
            name = ".".join(path)
            lengths[name] = max(lengths.get(name, 0), len(each))
    longest = sorted(lengths, key=lambda name: -lengths[name])[:_MAX_SHOWN]
    return ", ".join(sanitize_line(name, _MAX_SHOWN_CHARS) for name in longest)
