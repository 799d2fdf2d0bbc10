"""Mastodon, Pleroma and Akkoma: the outbox of an account's archive, and statuses as the API returns them.

An outbox is an ActivityStreams collection: `{"type": "OrderedCollection", "orderedItems": [{"type": "Create", "actor":
URL, "object": {"type": "Note" or, for a poll, "Question", "content": HTML, "summary": content warning or null,
"sensitive": bool, "inReplyTo": URL or null, "to": [URL], "cc": [URL]}}, {"type": "Announce", ...}]}`. Since Mastodon
4.2 `orderedItems` occurs twice, first with an empty array (mastodon#31091). The array or its items alone are read too.
An outbox also contains direct messages; they are never used.

Statuses, which `mastodon-archive` and similar tools store too, are `{"visibility": "public", "spoiler_text": "",
"sensitive": bool, "in_reply_to_account_id": ..., "reblog": null or a status, "content": HTML, "account": {"id": ...}}`:
an array of them, one per line, or an array in an object under `statuses`. Such files may also have the posts of others,
so that posts for followers only are never used.

Tags of HTML are found by one regular expression without backtracking, and open tags are counted, never searched, so
malformed HTML takes linear time too: the standard library's parser takes a minute for 60 kB of `<a ` (Python 3.11).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from engine.config.corpus import CorpusConfig
from engine.corpus.files.streams import HEAD_BYTES, Member
from engine.corpus.readers.json_values import JsonFile, as_array, as_json, as_object, first_char
from engine.corpus.readers.networks.posts import (
    DIRECT_MESSAGE,
    FOR_FOLLOWERS,
    PRIVATE_EXAMPLE,
    SENSITIVE,
    PostCounts,
    first_line,
    is_address,
    items_at,
    posts_of_lines,
)
from engine.corpus.readers.reader import (
    BOOST,
    NOT_A_TEXT,
    ONLY_A_LINK,
    DroppedRow,
    Format,
    NoTextsError,
    Row,
    Source,
    located,
)
from engine.errors import CorpusError
from engine.text import escape, unescape

_FILE_NAME = "outbox.json"
_HINT = "Give outbox.json from Mastodon's export of your data, or the exported archive itself."
_ITEMS = "orderedItems"
_OUTBOX = re.compile(rb'"orderedItems"\s*:')
_ACTIVITY = (re.compile(rb'"actor"\s*:\s*"https?://'), re.compile(rb'"type"\s*:\s*"(?:Create|Announce)"'))
_ONE_ACTIVITY = re.compile(
    rb'\s*\{\s*(?:"@context"\s*:\s*"[^"]*"\s*,\s*)?"id"\s*:\s*"[^"]*"\s*,\s*"type"\s*:\s*"(?:Create|Announce)"'
)
_STATUS = tuple(re.compile(rf'"{key}"\s*:'.encode()) for key in ("visibility", "spoiler_text", "content"))
_NOTE = tuple(re.compile(rb'(?m)(?:^|[{,])[ \t]*+"%b"\s*:' % key) for key in (b"attributedTo", b"content"))
_TO, _CC = (re.compile(rb'"%b"\s*:\s*(\[[^\]]*\]|"[^"]*"|null)' % key) for key in (b"to", b"cc"))
_TO_ALL = re.compile(rb'(?:#|as:|")Public"')
_DIRECT = (re.compile(rb'(?m)(?:^|[{,])[ \t]*+"visibility"\s*:\s*"direct"'), _NOTE[1])
_PUBLIC = re.compile(r"#Public$|^as:Public$|^Public$")
_PUBLIC_STATUSES = ("public", "unlisted", "local")  # local: Akkoma's, public on its server
_PRIVATE_STATUSES = {"private": FOR_FOLLOWERS, "direct": DIRECT_MESSAGE, "limited": DIRECT_MESSAGE}

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


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as an outbox, or as statuses of the API."""
    start = first_char(head)
    is_outbox = start == b"{" and _OUTBOX.search(head) is not None
    is_list = start == b"[" and all(key.search(head) for key in _ACTIVITY)
    is_list |= _ONE_ACTIVITY.match(head.removeprefix(codecs.BOM_UTF8)) is not None
    return is_outbox or is_list or _has_statuses(head)


def _has_statuses(head: bytes) -> bool:
    """Return whether a file starts as statuses of the API."""
    return first_char(head) in {b"{", b"["} and all(key.search(head) for key in _STATUS)


def has_private_posts(head: bytes) -> bool:
    """Return whether a file, or a piece of one, has posts with their audience: some may be direct messages."""
    return looks_like(head) or _has_private_notes(head) or all(each.search(head) for each in _DIRECT)


def _has_private_notes(head: bytes) -> bool:
    """Return whether a file has notes outside of an outbox, of which one is not addressed to the public."""
    if not all(key.search(head) for key in _NOTE):
        return False
    # The last note may be cut.
    audiences = zip_longest(
        _TO.findall(head), _CC.findall(head), fillvalue=b"" if len(head) < HEAD_BYTES else b'"Public"'
    )
    return not all(_TO_ALL.search(to + cc) for to, cc in audiences)


def root_of(name: str) -> str | None:
    """Return the folder of the archive whose outbox is at this path; None for any other file."""
    return name.removesuffix(_FILE_NAME) if name.rpartition("/")[2] == _FILE_NAME else None


def mastodon_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per activity or status; boosts and direct messages are dropped.

    Raises `CorpusError` if the file is neither an outbox nor a list of statuses, or has no posts.
    """
    head = members[0].head()
    entries_of, row_of = (_statuses, _status_row) if _has_statuses(head) else (_activities, _activity_row)
    counts = PostCounts()
    number = 0
    for number, entry in enumerate(entries_of(members[0], head, source), start=1):
        row = entry if isinstance(entry, DroppedRow) else row_of(entry, config, counts)
        yield located(row, "post", number)
    if not number:
        raise NoTextsError(f"{source.name} holds no posts.", "Its account never posted. " + _HINT)
    source.notes += counts.notes()


def _activities(member: Member, head: bytes, source: Source) -> Iterator[object]:
    """Yield the activities of an outbox, those in an array, or one after the other."""
    first, has_more = first_line(head)
    if has_more and "object" in first:
        yield from posts_of_lines(member, source)
        return
    file = JsonFile(member, source)
    if _ONE_ACTIVITY.match(file.data):
        yield from file.items()
        return
    is_outbox = False
    for path, items in file.arrays():
        is_outbox |= path[-1:] == (_ITEMS,)
        if path[-1:] in {(), (_ITEMS,)}:
            for activity in items:
                is_outbox = True
                yield activity
    if not is_outbox:
        raise CorpusError(f"{source.name} is not a Mastodon outbox: it has no {_ITEMS}.", _HINT)


def _activity_row(activity: object, config: CorpusConfig, counts: PostCounts) -> Row:
    """Return the text of a post, or why the activity is dropped, without its location."""
    if not isinstance(activity, dict):
        return DroppedRow("not a post", as_json(activity))
    note, actor = activity.get("object"), activity.get("actor")
    if activity.get("type") == "Announce":
        return DroppedRow(BOOST, note if isinstance(note, str) else "")
    is_post = activity.get("type") == "Create" and as_object(note).get("type") in ("Note", "Question")
    if not isinstance(note, dict) or not is_post:
        return DroppedRow("not a post", str(activity.get("type")))
    audience = _audience(note, actor)
    if audience == DIRECT_MESSAGE:
        return DroppedRow(DIRECT_MESSAGE, PRIVATE_EXAMPLE)
    if not isinstance(note.get("content"), str):
        return DroppedRow(NOT_A_TEXT, as_json(note.get("content")))
    reply_to = note.get("inReplyTo")
    is_own_thread = isinstance(actor, str) and isinstance(reply_to, str) and reply_to.startswith(f"{actor}/")
    row = _visible_row(note, note.get("summary"), config, counts, is_reply=bool(reply_to) and not is_own_thread)
    counts.for_followers += audience == FOR_FOLLOWERS and isinstance(row, str)
    return row


def _audience(note: dict[str, object], actor: object) -> str:
    """Return "" for a public post, `FOR_FOLLOWERS`, or else `DIRECT_MESSAGE`, also without a recipient.

    A message to a group is addressed to the group's followers, so that only the author's own followers count.
    """
    fields = (note.get("to"), note.get("cc"))
    addressed = {each for field in fields for each in (as_array(field) or [field]) if isinstance(each, str)}
    if any(map(_PUBLIC.search, addressed)):
        return ""
    return FOR_FOLLOWERS if isinstance(actor, str) and f"{actor}/followers" in addressed else DIRECT_MESSAGE


def _statuses(member: Member, head: bytes, source: Source) -> Iterator[object]:
    """Yield the statuses of an array, or one per line; a line that is not JSON is a dropped row."""
    if "content" in first_line(head)[0]:
        yield from posts_of_lines(member, source)
    else:
        yield from items_at({(), ("statuses",)}, JsonFile(member, source), source)


def _status_row(entry: object, config: CorpusConfig, counts: PostCounts) -> Row:
    """Return the text of a status, or why it is dropped, without its location."""
    status = as_object(entry)
    if not isinstance(status.get("content"), str):
        return DroppedRow("not a post", PRIVATE_EXAMPLE)
    if status.get("reblog"):
        return DroppedRow(BOOST, str(status.get("uri")))
    visibility = status.get("visibility")
    if visibility not in _PUBLIC_STATUSES:
        return DroppedRow(_PRIVATE_STATUSES.get(str(visibility), "not public"), PRIVATE_EXAMPLE)
    answered = status.get("in_reply_to_account_id")
    is_own_thread = answered and answered == as_object(status.get("account")).get("id")
    is_reply = bool(status.get("in_reply_to_id") or answered) and not is_own_thread
    return _visible_row(status, status.get("spoiler_text"), config, counts, is_reply=is_reply)


def _visible_row(
    post: dict[str, object], warning: object, config: CorpusConfig, counts: PostCounts, *, is_reply: bool
) -> Row:
    """Return the visible text of a public post, or why it is dropped by an option; `is_reply`: to another account."""
    content = str(post["content"])
    if config.no_replies and is_reply:
        return DroppedRow("reply", html_to_text(content).text)
    if config.no_sensitive and (post.get("sensitive") is True or warning):
        return DroppedRow(SENSITIVE, str(warning or ""))
    visible = html_to_text(content, keeps_links=config.keep_links)
    if visible.num_links and not config.keep_links:
        if not visible.text:
            return DroppedRow(ONLY_A_LINK, html_to_text(content, keeps_links=True).text)
        counts.without_links += 1
    counts.with_warnings += bool(warning)
    return escape(visible.text)


class VisibleText(NamedTuple):
    """The text of a post as it is displayed, with its links removed or whole."""

    text: str
    num_links: int
    """Number of links shown as an address."""


def html_to_text(markup: str, *, keeps_links: bool = False) -> VisibleText:
    """Return the visible text: paragraphs and breaks as line breaks, entities decoded. Never raises.

    A link that is shown as its address, mostly shortened, is whole with `keeps_links`, else removed. The reference to a
    quoted post (`quote-inline`), which the network's own pages hide, is removed.
    """
    page = _Page(keeps_links=keeps_links)
    for token in _TOKEN.finditer(markup):
        if token["text"] is not None:
            page.text(token["text"])
        elif token["name"] and token["slash"]:
            page.end(token["name"].lower())
        elif token["name"]:
            page.start(token["name"].lower(), token["rest"])
    page.end_link()
    text = _LINE_BREAKS.sub("\n", _DOUBLE_BLANKS.sub(" ", "".join(page.pieces))).strip()
    return VisibleText(text, page.num_links)


class _Page:
    """Collects the visible pieces of text."""

    def __init__(self, *, keeps_links: bool) -> None:
        self.pieces: list[str] = []
        self.num_links = 0
        self._keeps_links = keeps_links
        self._url: str | None = None
        """Address of the open link."""
        self._link_start = 0
        """Index of the open link's first piece."""
        self._shown: list[str] = []
        """Text of the open link, invisible spans included."""
        self._hidden_by = ""
        """Tag of the element that hides everything in it."""
        self._hidden_depth = 0
        self._hides_address = False
        """Whether that is an invisible span, which ends with its link or paragraph if its own end tag is missing."""

    def start(self, tag: str, attributes: str) -> None:
        if self._hidden_by:
            self._hidden_depth += tag == self._hidden_by
            return
        found = {name.lower(): one or other or bare for name, one, other, bare in _ATTRIBUTE.findall(attributes)}
        classes = found.get("class", "").split()
        is_unseen = tag in _UNSEEN or "quote-inline" in classes
        if is_unseen or (tag == "span" and "invisible" in classes):
            self._hidden_by, self._hidden_depth, self._hides_address = tag, 1, not is_unseen
        elif tag == "a":
            self.end_link()
            self._url, self._link_start, self._shown = unescape(found.get("href", "")), len(self.pieces), []
        elif tag in _BREAKING:
            self.pieces.append("\n")
        elif tag == "img":
            self.text(found.get("alt", ""))

    def end(self, tag: str) -> None:
        """Handle an end tag; unmatched ones are ignored."""
        if self._hides_address and tag in {"a", "p"}:
            self._hidden_by = ""
        if self._hidden_by:
            self._hidden_depth -= tag == self._hidden_by
            self._hidden_by = self._hidden_by if self._hidden_depth else ""
        elif tag == "a":
            self.end_link()
        elif tag in _BREAKING:
            self.pieces.append("\n")

    def text(self, text: str) -> None:
        """Append text, unless it is hidden."""
        piece = unescape(_BLANKS.sub(" ", text))
        if self._url is not None and (not self._hidden_by or self._hides_address):
            self._shown.append(piece)
        if not self._hidden_by:
            self.pieces.append(piece)

    def end_link(self) -> None:
        """Replace the text of the open link, if that is an address."""
        url, self._url = self._url, None
        shown = "".join(self._shown).strip()
        if url is None or not is_address(shown, url):
            return
        self.num_links += 1
        del self.pieces[self._link_start :]
        if self._keeps_links:
            self.pieces.append(url or shown)
        elif self.pieces:
            self.pieces[-1] = self.pieces[-1].rstrip(" ")


MASTODON = Format(
    name="mastodon",
    rows=mastodon_rows,
    suffixes=(_FILE_NAME,),
    looks_like=looks_like,
    has_private_posts=has_private_posts,
    root_of=root_of,
)
