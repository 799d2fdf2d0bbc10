"""Converts the HTML of Mastodon's posts to the visible text. Never raises, whatever the markup.

Tags are found by one regular expression without backtracking, and open tags are counted, never searched, so malformed
HTML takes linear time too. The standard library's parser takes 90 s for 100 kB of `<a `, and raises on some `<![`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.corpus.readers.posts import is_address
from engine.text import unescape

_TOKEN = re.compile(
    r"""<(?P<slash>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*+)(?P<rest>(?:[^<>"']|"[^"<]*+"|'[^'<]*+')*+)>"""
    r"|<[a-zA-Z/!?][^<>]*+>"  # a comment, a declaration, or a tag with an unclosed quotation mark
    r"|(?P<text>[^<]++|<)"
)
_ATTRIBUTE = re.compile(r"""\b(class|alt|href)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_BREAKING = frozenset({"p", "br", "div", "li", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_UNSEEN = frozenset({"script", "style", "head", "title", "template"})
_BLANKS = re.compile(r"[ \t\r\f\v\n]+")
_DOUBLE_BLANKS = re.compile(r" {2,}")
_LINE_BREAKS = re.compile(r" ?\n\s*")


@dataclass(frozen=True)
class VisibleText:
    """The text of a post as it is displayed, with its links removed or whole."""

    text: str
    num_links: int
    """Number of links shown as an address."""


def html_to_text(markup: str, *, keeps_links: bool = False) -> VisibleText:
    """Return the visible text: paragraphs and breaks as line breaks, entities decoded.

    A link that is shown as its address, mostly shortened, is whole with `keeps_links`, else removed. The reference to a
    quoted post (`quote-inline`), which the network's own pages hide, is removed.
    """
    reader = _Reader(keeps_links=keeps_links)
    for token in _TOKEN.finditer(markup):
        if token["text"] is not None:
            reader.text(token["text"])
        elif token["name"] and token["slash"]:
            reader.end(token["name"].lower())
        elif token["name"]:
            reader.start(token["name"].lower(), token["rest"])
    return reader.result()


@dataclass
class _Link:
    """An open `<a>`."""

    url: str
    start: int
    """Index of its first piece of visible text."""
    address: list[str]
    """Pieces of its text, those in invisible spans included."""


class _Reader:
    """Collects the visible text."""

    def __init__(self, *, keeps_links: bool) -> None:
        self._keeps_links = keeps_links
        self._pieces: list[str] = []
        self._link: _Link | None = None
        self._num_links = 0
        self._hidden_by = ""
        self._hidden_depth = 0
        self._unhidden_by: frozenset[str] = frozenset()
        """End tags that also end the hidden part, if its own is missing."""

    def result(self) -> VisibleText:
        """Return the text with single blanks and line breaks."""
        self._end_link()
        text = _LINE_BREAKS.sub("\n", _DOUBLE_BLANKS.sub(" ", "".join(self._pieces))).strip()
        return VisibleText(text, self._num_links)

    def start(self, tag: str, attributes: str) -> None:
        """Handle a start tag."""
        if self._hidden_by:
            self._hidden_depth += tag == self._hidden_by
            return
        found = {name.lower(): one or other or bare for name, one, other, bare in _ATTRIBUTE.findall(attributes)}
        classes = found.get("class", "").split()
        if tag in _UNSEEN or "quote-inline" in classes:
            self._hide(tag, frozenset())
        elif tag == "span" and "invisible" in classes:
            self._hide(tag, frozenset({"a", "p"}))
        elif tag == "a":
            self._end_link()
            self._link = _Link(unescape(found.get("href", "")), len(self._pieces), [])
        elif tag in _BREAKING:
            self._pieces.append("\n")
        elif tag == "img":
            self.text(found.get("alt", ""))

    def end(self, tag: str) -> None:
        """Handle an end tag; unmatched ones are ignored."""
        if tag in self._unhidden_by:
            self._hidden_by, self._unhidden_by = "", frozenset()
        if self._hidden_by:
            self._hidden_depth -= tag == self._hidden_by
            if self._hidden_depth == 0:
                self._hidden_by, self._unhidden_by = "", frozenset()
        elif tag == "a":
            self._end_link()
        elif tag in _BREAKING:
            self._pieces.append("\n")

    def text(self, text: str) -> None:
        """Append text, unless it is hidden."""
        if self._hidden_by and not (self._link and self._unhidden_by):
            return
        piece = unescape(_BLANKS.sub(" ", text))
        if self._link:
            self._link.address.append(piece)
        if not self._hidden_by:
            self._pieces.append(piece)

    def _hide(self, tag: str, unhidden_by: frozenset[str]) -> None:
        """Hide all text up to the end of this element."""
        self._hidden_by, self._hidden_depth, self._unhidden_by = tag, 1, unhidden_by

    def _end_link(self) -> None:
        """Replace the text of the open link, if that is an address."""
        link, self._link = self._link, None
        if link is None:
            return
        address = "".join(link.address).strip()
        if not is_address(address, link.url):
            return
        self._num_links += 1
        del self._pieces[link.start :]
        if self._keeps_links:
            self._pieces.append(link.url or address)
        elif self._pieces:
            self._pieces[-1] = self._pieces[-1].rstrip(" ")
