"""Dotted paths into values of JSON: what stands under one, and which of them lead to texts.

The one idea: a path goes through arrays by itself, so that "posts.text" means the text of every post. Never follows
nesting by recursion, and looks at a bounded part of a value to find out where its texts are.
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
"""Answers of servers have these beside the posts: {"status": "ok", "data": [...]}."""
_MAX_DEPTH = 5
_MAX_VISITS = 10_000
_LOOKED_AT_ITEMS = 20
_MAX_SHOWN, _MAX_SHOWN_CHARS = 5, 60


@dataclass(frozen=True)
class Missing:
    """Stands for what a path does not lead to."""

    beside: object
    """The value in which the path ends too soon."""


def values_at(value: object, path: str) -> Iterator[object]:
    """Yield what stands in `value` under a key or a dotted path, `Missing` where that leads to nothing.

    A number counts in an array, from 0; any other part, and the end of the path, takes each of an array's items.
    """
    parts = path.split(".")
    rests = [".".join(parts[start:]) for start in range(len(parts))]
    waiting = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if isinstance(each, list) and depth < len(parts) and is_index(parts[depth]):
            index = int(parts[depth])
            waiting.append((each[index] if index < len(each) else Missing(each), depth + 1))
        elif isinstance(each, list):
            waiting += [(item, depth) for item in reversed(each)]
        elif isinstance(each, Missing) or depth == len(parts):
            yield each
        elif isinstance(each, dict) and rests[depth] in each:  # a key with dots in it
            waiting.append((each[rests[depth]], len(parts)))
        elif isinstance(each, dict) and parts[depth] in each:
            waiting.append((each[parts[depth]], depth + 1))
        else:
            yield Missing(each)


def is_index(part: str) -> bool:
    """Say whether a part of a path counts in an array."""
    return part.isascii() and part.isdecimal() and len(part) < 9


def has_text_at(value: object, path: str) -> bool:
    """Say whether a path leads to a text."""
    return any(isinstance(each, str) for each in values_at(value, path))


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


def is_post(record: dict[str, object]) -> bool:
    """Say whether an object is surely one post, whatever arrays are in it."""
    key = find_text_key(record)
    return key is not None and key.rpartition(".")[2] not in _VAGUE_KEYS


def array_paths(value: object) -> list[str]:
    """Return the paths of texts in the arrays of `value`: one where there is little doubt, all that were found if not.

    The array that is the least deep is the one, or of several that which is called as such arrays are.
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
            items = each[:_LOOKED_AT_ITEMS]
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
    """Say whether an array may be in what stands under a key, and a path could name it."""
    return isinstance(inner, dict | list) and _is_plain(key) and len(path) < _MAX_DEPTH


def _is_plain(key: str) -> bool:
    """Say whether a key may be a part of a path."""
    return bool(key) and "." not in key and not is_index(key)


def shown_paths(value: object) -> str:
    """Return the paths of the texts in `value`, the longest text first, as a list for a person; "" without any."""
    lengths: dict[str, int] = {}
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), value)])
    for _ in range(_MAX_VISITS):
        if not waiting:
            break
        path, each = waiting.popleft()
        if isinstance(each, dict) and len(path) <= _MAX_DEPTH:
            waiting += [((*path, key), inner) for key, inner in each.items() if _is_plain(key)]
        elif isinstance(each, list):
            waiting += [(path, item) for item in each[:_LOOKED_AT_ITEMS]]
        elif isinstance(each, str) and path:
            name = ".".join(path)
            lengths[name] = max(lengths.get(name, 0), len(each))
    longest = sorted(lengths, key=lambda name: -lengths[name])[:_MAX_SHOWN]
    return ", ".join(harmless(name, _MAX_SHOWN_CHARS) for name in longest)
