r"""The posts in the JSON exports of Facebook, Instagram and Threads; `meta_files` has their paths.

Facebook: `[{"timestamp": 1242901624, "attachments": [...], "data": [{"post": TEXT}, {"update_timestamp": ...}],
"title": "NAME updated his status."}]`; an export with one post has no array. Instagram: `[{"media": [{"uri": ...,
"title": CAPTION}]}]`, and with several pictures `[{"media": [...], "title": CAPTION}]`. Threads:
`{"text_post_app_text_posts": [{"media": [{"title": TEXT, "text_app_post": {"is_reply": true}}]}]}`.

Meta writes each byte of a text's UTF-8 as one escaped Latin-1 character: é is `\u00c3\u00a9`. That can be reverted
exactly. The exports do not contain the audience of a post.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.meta_files import POSTS_KEY, part_number
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_array, as_object
from engine.corpus.report import counted
from engine.corpus.types import DroppedRow, Member, Row, Source, example
from engine.text import escape

_MENTION = re.compile(r"@\[\d+(?::\d+)?:([^\[\]]+)\]")
"""Facebook's mention of an account: @[100012345678901:2048:Tom Hill], shown as its name."""
_MASKED_MENTION = "@user"


def meta_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per post of all parts in order. Raises `CorpusError` if a file is no valid JSON."""
    num_posts = num_repaired = 0
    for member in sorted(members, key=lambda member: (member.name.rpartition("/")[0], part_number(member.name))):
        with closing(member.open()) as file:
            for entry in _entries(JsonStream(file, source.name_of(member))):
                num_posts += 1
                where = f"post {num_posts:,}"
                row = _row(entry, config, where)
                if isinstance(row, str):
                    text = _repaired(row)
                    num_repaired += text != row
                    row = escape(_with_names(text, config))
                yield row
    source.notes.append("the export does not contain the audience of a post: all posts are read")
    if num_repaired:
        source.notes.append(f"wrong encoding of the export repaired in {counted(num_repaired, 'post')}")


def _entries(stream: JsonStream) -> Iterator[object]:
    """Yield the posts of a file: the items of its array, or else its values."""
    if key := POSTS_KEY.match(stream.beginning()):
        for path, items in stream.arrays():
            if path == (key[1],):
                yield from items
    elif stream.peek() == "[":
        yield from stream.items()
    while stream.peek():
        yield stream.value()


def _row(entry: object, config: CorpusConfig, where: str) -> Row:
    """Return the text of a post as it is in the file, or why it is dropped."""
    if not isinstance(entry, dict):
        return DroppedRow("not a post", where)
    media = [each for each in as_array(entry.get("media")) if isinstance(each, dict)]
    texts = [each.get("post") for each in as_array(entry.get("data")) if isinstance(each, dict)]
    if not media:
        text = "\n".join(each for each in texts if isinstance(each, str))
    else:
        titles = (each.get("title") for each in (entry, *media))
        text = next((each for each in titles if isinstance(each, str) and each.strip()), "")
    if not text.strip():
        is_post = media or "data" in entry or "attachments" in entry
        keys = ", ".join(islice(entry, 8))
        return DroppedRow("without text" if is_post else "not a post", example(where, f"it has {keys}"))
    if config.no_replies and any(_is_reply(each) for each in media):
        return DroppedRow("reply", example(where, _repaired(text)))
    return text


def _is_reply(media: dict[str, object]) -> bool:
    """Return whether a post of Threads is a reply; the export does not contain whose post it answers."""
    return as_object(media.get("text_app_post")).get("is_reply") is True


def _repaired(text: str) -> str:
    """Return a text with the encoding of the export reverted; unchanged if it was reverted before."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _with_names(text: str, config: CorpusConfig) -> str:
    """Return a text with Facebook's mentions as names, or as @user if mentions are to be removed or masked."""
    is_masked = config.strip_mentions or config.mask_mentions
    return _MENTION.sub(_MASKED_MENTION if is_masked else r"\1", text)
