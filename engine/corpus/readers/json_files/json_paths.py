"""Dotted paths into JSON values: lookup, and detection of the paths that lead to texts.

A path implicitly descends into every item of an array, and of an object by id: "posts.text" is the text of every post.
Never recurses, and detection examines a bounded part of a value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from engine.corpus.readers.columns import TEXT_NAMES, is_text_name, name_key
from engine.corpus.readers.json_files.json_maps import is_map, is_table_row
from engine.text import sanitize_line

NAMES_OF_ARRAYS = frozenset({"tweets", "texts", "posts", "statuses", "messages", "data", "items", "rows"})

_WRAPPERS = (
    *("tweet", "data", "record", "value", "post", "status", "node", "item", "note", "object", "attributes"),
    *("legacy", "row", "_source", "doc", "properties"),
)
"""The last ones are of X's website, rows of a Hugging Face data set, Elasticsearch, CouchDB and GeoJSON."""
CONTEXT_KEYS = frozenset(
    {"includes", "entities", "extended_entities", "quoted_status", "retweeted_status", "referenced_tweets"}
)
"""Keys of what posts refer to, such as other people's posts and hashtags: no texts are looked for in them."""
_CERTAIN_KEYS = frozenset({"full_text", "text", "tweet", "tweet_text", "content", "raw_content", "body", "selftext"})
"""API responses use the other usual keys beside the posts, too: {"status": "ok", "data": [...]}."""
_RANKS = {name: rank for rank, name in enumerate(TEXT_NAMES)}
_MAX_KEY_CHARS = 40
_MAX_DEPTH = 5
_MAX_VISITS = 10_000
_EXAMINED_ITEMS = 20
_MAX_SHOWN, _MAX_SHOWN_CHARS = 5, 60


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


def find_text_key(record: dict[str, object]) -> str | None:
    """Return the usual key of an object's text, dotted if it is in a known wrapper; None without one."""
    if key := _text_key(record):
        return key
    for wrapper in _WRAPPERS:
        inner = record.get(wrapper)
        if isinstance(inner, dict) and (inner_key := _text_key(inner)):
            return f"{wrapper}.{inner_key}"
    return None


def _text_key(record: dict[str, object]) -> str | None:
    """Return the first by preference of an object's own keys of texts."""
    keys = [key for key, value in record.items() if isinstance(value, str) and _rank(key) is not None]
    return min(keys, key=lambda key: _rank(key) or 0, default=None)


@lru_cache(maxsize=4096)
def _rank(key: str) -> int | None:
    """Return the rank of a usual key of texts; None for any other key."""
    if len(key) > _MAX_KEY_CHARS or not is_text_name(key):
        return None
    return _RANKS.get(key, _RANKS.get(name_key(key), len(_RANKS)))


def is_text_key(key: str) -> bool:
    """Return whether a key is a usual one of texts."""
    return _rank(key) is not None


def _is_certain(path: str) -> bool:
    """Return whether the last key of a path is of a post's text and of nothing else."""
    return name_key(path.rpartition(".")[2]) in _CERTAIN_KEYS


def is_post(record: dict[str, object]) -> bool:
    """Return whether an object is certainly a single post, whatever arrays it contains."""
    key = find_text_key(record)
    return key is not None and _is_certain(key)


def array_paths(value: object) -> list[str]:
    """Return the paths of texts in the arrays of `value`: a single one if it is unambiguous, else all found.

    Objects by id count as arrays. The shallowest wins; among several, one with certain texts, or one in
    `NAMES_OF_ARRAYS`.
    """
    found: dict[str, tuple[str, ...]] = {}
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), value)])
    for _ in range(_MAX_VISITS):
        if not waiting:
            break
        path, each = waiting.popleft()
        if isinstance(each, list) or (isinstance(each, dict) and is_map(each)):
            items = list(islice(each.values() if isinstance(each, dict) else each, _EXAMINED_ITEMS))
            keys = [find_text_key(item) for item in items if isinstance(item, dict)]
            key = next(filter(None, keys), None)
            if key:
                found.setdefault(".".join((*path, key)), path)
            elif items and isinstance(items[0], str) and is_array_of_texts(path, is_by_id=isinstance(value, dict)):
                found.setdefault(".".join(path), path)
            else:
                waiting += [(path, item) for item in items if not is_table_row(item)]
        elif isinstance(each, dict):
            waiting += [((*path, key), inner) for key, inner in each.items() if _leads_on(key, inner, path)]
    least = min(map(len, found.values()), default=0)
    shallow = [text for text, path in found.items() if len(path) == least]
    certain = [text for text in shallow if _is_certain(text)]
    named = [text for text in shallow if found[text] and found[text][-1] in NAMES_OF_ARRAYS]
    return next((each for each in (shallow, certain, named) if len(each) == 1), list(found))


def is_array_of_texts(path: tuple[str, ...], *, is_by_id: bool) -> bool:
    """Return whether strings in a collection are texts, by its key; a document without one is if it `is_by_id`."""
    return path[-1] in NAMES_OF_ARRAYS or is_text_key(path[-1]) if path else is_by_id


def map_paths(value: object) -> frozenset[tuple[str, ...]]:
    """Return the paths of the objects by id in a document that are in no array."""
    found = set()
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), value)])
    for _ in range(_MAX_VISITS):
        if not waiting:
            break
        path, each = waiting.popleft()
        if isinstance(each, dict) and is_map(each):
            found.add(path)
        elif isinstance(each, dict):
            waiting += [((*path, key), inner) for key, inner in each.items() if isinstance(inner, dict)]
    return frozenset(found)


def _leads_on(key: str, inner: object, path: tuple[str, ...]) -> bool:
    """Return whether to search the value under a key: it may contain an array, and a path can name it."""
    return isinstance(inner, dict | list) and _is_plain(key) and key not in CONTEXT_KEYS and len(path) < _MAX_DEPTH


def _is_plain(key: str) -> bool:
    """Return whether a key can be a part of a path."""
    return bool(key) and "." not in key and not is_index(key)


def shown_paths(value: object) -> str:
    """Return the paths of the texts in `value` for a message, the longest text first; "" without any."""
    lengths: dict[str, int] = {}
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), value)])
    for _ in range(_MAX_VISITS):
        if not waiting:
            break
        path, each = waiting.popleft()
        if isinstance(each, dict) and is_map(each):
            waiting += [(path, item) for item in islice(each.values(), _EXAMINED_ITEMS)]
        elif isinstance(each, dict) and len(path) <= _MAX_DEPTH:
            waiting += [((*path, key), inner) for key, inner in each.items() if _is_plain(key)]
        elif isinstance(each, list):
            waiting += [(path, item) for item in each[:_EXAMINED_ITEMS]]
        elif isinstance(each, str) and path:
            name = ".".join(path)
            lengths[name] = max(lengths.get(name, 0), len(each))
    longest = sorted(lengths, key=lambda name: -lengths[name])[:_MAX_SHOWN]
    return ", ".join(sanitize_line(name, _MAX_SHOWN_CHARS) for name in longest)
