"""The links in a Bluesky post: its facets, which are ranges of the bytes of its text with a whole address each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.corpus.readers.archives.posts import is_address, without_typed_links

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
    for facet in facets if isinstance(facets, list) else ():
        index = facet.get("index") if isinstance(facet, dict) else None
        features = facet.get("features") if isinstance(facet, dict) else None
        start, end = (_offset(index, key) for key in ("byteStart", "byteEnd"))
        for feature in features if isinstance(features, list) else ():
            is_link = isinstance(feature, dict) and feature.get("$type") == _LINK_TYPE
            if is_link and isinstance(url := feature.get("uri"), str) and 0 <= start < end:
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


def _offset(index: object, key: str) -> int:
    """Return an offset of a facet; -1 if it is invalid. JSON's numbers are decoded as floats."""
    value = index.get(key) if isinstance(index, dict) else None
    return int(value) if isinstance(value, int | float) and 0 <= value < 1 << 31 else -1
