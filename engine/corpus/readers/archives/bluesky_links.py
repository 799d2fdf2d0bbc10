"""The links in a Bluesky post: its facets, which are ranges of the bytes of its text with a whole address each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.corpus.readers.archives.posts import without_typed_links
from engine.corpus.readers.json_files.json_values import as_array, as_object
from engine.corpus.readers.reader import is_address

_LINK_TYPE = "app.bsky.richtext.facet#link"


@dataclass(frozen=True, order=True)
class Link:
    """A link facet."""

    start: int
    """Offset of its first byte in the UTF-8 text."""
    end: int
    url: str


def links_of(facets: object) -> Iterator[Link]:
    """Yield the links of a post's facets, whatever else is in them."""
    for facet in map(as_object, as_array(facets)):
        index = as_object(facet.get("index"))
        start, end = _offset(index.get("byteStart")), _offset(index.get("byteEnd"))
        for feature in map(as_object, as_array(facet.get("features"))):
            url = feature.get("uri")
            if feature.get("$type") == _LINK_TYPE and isinstance(url, str) and 0 <= start < end:
                yield Link(start, end, url)


def with_whole_links(text: str, links: Iterable[Link]) -> str:
    """Return a post's text with each shortened address replaced by the whole one."""
    return _replaced(text, links, keeps=True)


def without_links(text: str, links: Iterable[Link]) -> str:
    """Return a post's text without addresses."""
    return without_typed_links(_replaced(text, links, keeps=False))


def _replaced(text: str, links: Iterable[Link], *, keeps: bool) -> str:
    """Return the text with the shown addresses replaced or removed, with the blanks before them."""
    data = text.encode("utf-8", "surrogatepass")
    pieces: list[bytes] = []
    position = 0
    for link in sorted(links):
        shown = data[link.start : link.end].decode(errors="replace")
        if link.start < position or not is_address(shown, link.url):
            continue
        before = data[position : link.start]
        pieces += [before, link.url.encode("utf-8", "surrogatepass")] if keeps else [before.rstrip(b" ")]
        position = link.end
    return b"".join([*pieces, data[position:]]).decode("utf-8", "replace")


def _offset(value: object) -> int:
    """Return an offset of a facet; -1 if it is invalid. JSON's numbers are decoded as floats."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1 << 31 else -1
