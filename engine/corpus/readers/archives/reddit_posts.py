"""Submissions and comments of Reddit as its API describes them, found in its listings, and their texts.

A submission has `title` and `selftext`, a comment `body`; both have `author`, `subreddit`, and marks of their removal.
The API wraps them: `{"kind": "t3" (submission), "t1" (comment) or "t4" (message), "data": {...}}`, in `{"kind":
"Listing", "data": {"children": [...]}}`; the answers to a comment are a listing under `replies`. Tools store answers as
arrays under `comments` and `replies`.

Never returns the text of a message, nor of what its author or a moderator took down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.posts import DIRECT_MESSAGE, PRIVATE_EXAMPLE, SENSITIVE
from engine.corpus.readers.json_files.json_values import as_array, as_json, as_object
from engine.corpus.types import DroppedRow, Row

DELETED = "deleted by its author"
REMOVED = "removed by a moderator or Reddit"
POST_KINDS = ("t1", "t3")
"""Kinds of comments and submissions."""

_PLACEHOLDER = re.compile(r"\\?\[\s?(deleted|removed)\b(?:[^\]\n]|\]\(){0,200}\]", re.IGNORECASE)
_MODERATORS = ("automoderator", "-modteam")
"""How the names of accounts end that post the notices of moderators."""
_NOT_WHOLE = "more"
"""Kind of the comments of a listing that the API did not send."""


def posts_in(value: object) -> Iterator[dict[str, object] | DroppedRow]:
    """Yield the submissions and comments of a listing, a page, a wrapped or a bare one, in order of appearance."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        data = each.get("data") if isinstance(each, dict) else None
        kind = each.get("kind") if isinstance(each, dict) else None
        if isinstance(each, list):
            waiting += reversed(each)
        elif not isinstance(each, dict):
            yield DroppedRow("not a post", as_json(each))
        elif isinstance(data, list):  # a page of Pushshift or Arctic Shift
            waiting += reversed(data)
        elif not isinstance(data, dict) or not isinstance(kind, str):
            yield each
            waiting += _answers(each)
        elif kind == "Listing":
            waiting += reversed(as_array(data.get("children")))
        elif kind in POST_KINDS:
            yield data
            waiting += _answers(data)
        elif kind != _NOT_WHOLE:
            yield DroppedRow(DIRECT_MESSAGE, PRIVATE_EXAMPLE) if kind == "t4" else DroppedRow("not a post", kind)


def _answers(post: dict[str, object]) -> Iterator[object]:
    """Yield the listing or array of the answers to a post, if it has one."""
    for key in ("replies", "comments"):
        answers = post.get(key)
        if isinstance(answers, list) or (isinstance(answers, dict) and answers.get("kind") == "Listing"):
            yield answers


def row_of(post: dict[str, object], config: CorpusConfig) -> Row:
    """Return the text of a submission or comment, or why it is dropped, with an example that lacks its location.

    A submission is its title, then its text on another line. With `config.column` the row is the value of that key.
    """
    title, body = post.get("title"), post.get("body")
    if "dest" in post:
        return DroppedRow(DIRECT_MESSAGE, PRIVATE_EXAMPLE)
    if post.get("subreddit_type") == "private":
        return DroppedRow("in a private subreddit", PRIVATE_EXAMPLE)
    if not isinstance(title, str) and not isinstance(body, str):
        return DroppedRow("not a post", as_json(post))
    parts = [title, post.get("selftext")] if isinstance(title, str) else [body]
    texts = [part.strip() for part in parts if isinstance(part, str) and part.strip()]
    if reason := _taken_down(post, texts):
        return DroppedRow(reason, PRIVATE_EXAMPLE)
    if reason := _reason_to_drop(post, config, is_comment=not isinstance(title, str)):
        return DroppedRow(reason, " ".join(texts))
    if config.column is None:
        return "\n".join(texts)
    chosen = post.get(config.column)
    return chosen if isinstance(chosen, str) else DroppedRow(f"no {config.column}", " ".join(texts))


def _reason_to_drop(post: dict[str, object], config: CorpusConfig, *, is_comment: bool) -> str:
    """Return the reason to drop a submission or comment that was not taken down, or ""."""
    author = post.get("author")
    if isinstance(author, str) and author.lower().endswith(_MODERATORS):
        return "by a moderation bot"
    if post.get("crosspost_parent"):
        return "crosspost"
    if config.no_replies and is_comment:
        return "reply"
    return SENSITIVE if config.no_sensitive and post.get("over_18") is True else ""


def _taken_down(post: dict[str, object], texts: list[str]) -> str:
    """Return the reason if a submission or comment was taken down, by its author or others, else ""."""
    meta = as_object(post.get("_meta"))  # Arctic Shift's, which also has texts that were taken down later
    by = post.get("removed_by_category") or meta.get("removal_type")
    if by:
        return DELETED if by in ("deleted", "author") else REMOVED
    if meta.get("was_deleted_later") is True:
        return DELETED
    found = next(filter(None, map(_PLACEHOLDER.fullmatch, texts)), None)
    if found is None:
        return ""
    return DELETED if found[1].lower() == "deleted" else REMOVED
