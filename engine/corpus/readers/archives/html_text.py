"""Converts the HTML of Mastodon's posts to the visible text. Never raises, whatever the markup.

Tags are found by one regular expression without backtracking, and open tags are counted, never searched, so malformed
HTML takes linear time too. The standard library's parser takes 90 s for 100 kB of `<a `, and raises on some `<![`.
"""

from __future__ import annotations

import re

from engine.text import unescape

_TOKEN = re.compile(
    r"""<(?P<slash>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*+)(?P<rest>(?:[^<>"']|"[^"<]*+"|'[^'<]*+')*+)>"""
    r"|<[a-zA-Z/!?][^<>]*+>"  # a comment, a declaration, or a tag with an unclosed quotation mark
    r"|(?P<text>[^<]++|<)"
)
_ATTRIBUTE = re.compile(r"""\b(class|alt)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_BREAKING = frozenset({"p", "br", "div", "li", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_UNSEEN = frozenset({"script", "style", "head", "title", "template"})
_BLANKS = re.compile(r"[ \t\r\f\v\n]+")
_DOUBLE_BLANKS = re.compile(r" {2,}")
_LINE_BREAKS = re.compile(r" ?\n\s*")


def html_to_text(markup: str) -> str:
    """Return the visible text: paragraphs and breaks as line breaks, links as displayed, entities decoded."""
    reader = _Reader()
    for token in _TOKEN.finditer(markup):
        if token["text"] is not None:
            reader.text(token["text"])
        elif token["name"] and token["slash"]:
            reader.end(token["name"].lower())
        elif token["name"]:
            reader.start(token["name"].lower(), token["rest"])
    return reader.result()


def escape(text: str) -> str:
    """Escape plain text so that unescaping it once gives the same text, even if it contains entities."""
    return text if "&" not in text or unescape(text) == text else text.replace("&", "&amp;")


class _Reader:
    """Collects the visible text."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._is_shortened: list[bool] = []
        """For each open span, whether it is a shortened link, which ends with an ellipsis."""
        self._hidden_by = ""
        self._hidden_depth = 0

    def result(self) -> str:
        """Return the text with single blanks and line breaks."""
        return _LINE_BREAKS.sub("\n", _DOUBLE_BLANKS.sub(" ", "".join(self._pieces))).strip()

    def start(self, tag: str, attributes: str) -> None:
        """Handle a start tag."""
        if self._hidden_by:
            self._hidden_depth += tag == self._hidden_by
            return
        found = {name.lower(): one or other or bare for name, one, other, bare in _ATTRIBUTE.findall(attributes)}
        classes = found.get("class", "").split()
        if tag in _UNSEEN or (tag == "span" and "invisible" in classes):
            self._hidden_by, self._hidden_depth = tag, 1
        elif tag == "span":
            self._is_shortened.append("ellipsis" in classes)
        elif tag in _BREAKING:
            self._pieces.append("\n")
        elif tag == "img":
            self.text(found.get("alt", ""))

    def end(self, tag: str) -> None:
        """Handle an end tag; unmatched ones are ignored."""
        if self._hidden_by == "span" and tag in {"a", "p"}:
            self._hidden_by = ""  # an unclosed span hides only the rest of its link
        if self._hidden_by:
            self._hidden_depth -= tag == self._hidden_by
            if self._hidden_depth == 0:
                self._hidden_by = ""
        elif tag == "span" and self._is_shortened and self._is_shortened.pop():
            self._pieces.append("…")
        elif tag in _BREAKING:
            self._pieces.append("\n")

    def text(self, text: str) -> None:
        """Append text, unless it is hidden."""
        if not self._hidden_by:
            self._pieces.append(unescape(_BLANKS.sub(" ", text)))
