"""Dotted paths into JSON values: lookup, and detection of the paths that lead to texts.

A path implicitly descends into every item of an array: "posts.text" is the text of every post. Never recurses, and
detection examines a bounded part of a value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from engine.text import harmless

USUAL_KEYS = ("full_text", "text", "tweet", "content", "body", "message", "status", "post")
NAMES_OF_ARRAYS = frozenset({"tweets", "texts", "posts", "statuses", "messages", "data", "items", "rows"})

_WRAPPERS = ("tweet", "data", "record", "value", "post", "status", "node", "item", "note", "object", "attributes")
_VAGUE_KEYS = frozenset({"message", "status", "post"})
"""API responses also use these keys beside the posts: {"status": "ok", "data": [...]}."""
_MAX_DEPTH = 5
_MAX_VISITS = 10_000
_EXAMINED_ITEMS = 20
_MAX_SHOWN, _MAX_SHOWN_CHARS = 5, 60


@dataclass(frozen=True)
class Missing:
    """The result of a path that does not exist."""

    beside: object
    """The value in which the next part of the path is missing."""


def values_at(value: object, path: str) -> Iterator[object]:
    """Yield the values under a key or a dotted path, or `Missing` where the path ends.

    A number from 1 indexes an array; at an array, any other part, and the end of the path, apply to each item.
    """
    parts = path.split(".")
    rests = [".".join(parts[start:]) for start in range(len(parts))]
    waiting = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if isinstance(each, list) and depth < len(parts) and is_index(parts[depth]):
            index = int(parts[depth]) - 1
            waiting.append((each[index] if 0 <= index < len(each) else Missing(each), depth + 1))
        elif isinstance(each, list):
            waiting += [(item, depth) for item in reversed(each)]
        elif isinstance(each, Missing) or depth == len(parts):
            yield each
        elif isinstance(each, dict) and rests[depth] in each:  # a key that contains dots
            waiting.append((each[rests[depth]], len(parts)))
        elif isinstance(each, dict) and parts[depth] in each:
            waiting.append((each[parts[depth]], depth + 1))
        else:
            yield Missing(each)


def is_index(part: str) -> bool:
    """Return whether a part of a path is an array index."""
    return part.isascii() and part.isdecimal() and len(part) < 9


def has_text_at(value: object, path: str) -> bool:
    """Return whether a path leads to a string."""
    return any(isinstance(each, str) for each in values_at(value, path))


def find_text_key(record: dict[str, object]) -> str | None:
    """Return the known key of an object's text, dotted if it is in a known wrapper; None without one."""
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


def is_post(record: dict[str, object]) -> bool:
    """Return whether an object is certainly a single post, whatever arrays it contains."""
    key = find_text_key(record)
    return key is not None and key.rpartition(".")[2] not in _VAGUE_KEYS


def array_paths(value: object) -> list[str]:
    """Return the paths of texts in the arrays of `value`: a single one if it is unambiguous, else all found.

    The shallowest array wins; among several, the one in `NAMES_OF_ARRAYS`.
    """
    found: dict[str, tuple[str, ...]] = {}
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), value)])
    for _ in range(_MAX_VISITS):
        if not waiting:
            break
        path, each = waiting.popleft()
        if isinstance(each, dict):
            waiting += [((*path, key), inner) for key, inner in each.items() if _leads_on(key, inner, path)]
        elif isinstance(each, list):
            items = each[:_EXAMINED_ITEMS]
            keys = [find_text_key(item) for item in items if isinstance(item, dict)]
            key = next(filter(None, keys), None)
            if key:
                found.setdefault(".".join((*path, key)), path)
            elif items and isinstance(items[0], str) and path and path[-1] in NAMES_OF_ARRAYS:
                found.setdefault(".".join(path), path)
            else:
                waiting += [(path, item) for item in items]
    least = min(map(len, found.values()), default=0)
    shallow = [text for text, path in found.items() if len(path) == least]
    named = [text for text in shallow if found[text] and found[text][-1] in NAMES_OF_ARRAYS]
    return next((each for each in (shallow, named) if len(each) == 1), list(found))


def _leads_on(key: str, inner: object, path: tuple[str, ...]) -> bool:
    """Return whether to search the value under a key: it may contain an array, and a path can name it."""
    return isinstance(inner, dict | list) and _is_plain(key) and len(path) < _MAX_DEPTH


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
        if isinstance(each, dict) and len(path) <= _MAX_DEPTH:
            waiting += [((*path, key), inner) for key, inner in each.items() if _is_plain(key)]
        elif isinstance(each, list):
            waiting += [(path, item) for item in each[:_EXAMINED_ITEMS]]
        elif isinstance(each, str) and path:
            name = ".".join(path)
            lengths[name] = max(lengths.get(name, 0), len(each))
    longest = sorted(lengths, key=lambda name: -lengths[name])[:_MAX_SHOWN]
    return ", ".join(harmless(name, _MAX_SHOWN_CHARS) for name in longest)
