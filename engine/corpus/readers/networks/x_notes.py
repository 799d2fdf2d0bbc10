"""Long tweets of an X archive: `note-tweet.js` has the full texts, `tweets.js` a shortened twin of each.

`window.YTD.note_tweet.part0 = [{"noteTweet": {"noteTweetId": ..., "createdAt": "2023-04-04T13:45:22.000Z", "core":
{"text": ..., "urls": [...]}}}]`. The ids of note and twin differ, so they are matched by text and time: the twin's text
ends in an ellipsis and a t.co link, and the note starts with the part before them, except for the @names of a reply. Of
several notes with the same start, the one with the twin's time matches. Never uses a note without a twin: its tweet may
have been deleted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from engine.corpus.readers.json_values import as_object
from engine.errors import CorpusError
from engine.text import unescape

MAX_NOTE_CHARS = 64 << 20
"""Limit of the notes of an archive, which are all in memory."""

_KEY_CHARS = 40
_COMPARED_CHARS = 400
_MIN_CUT_CHARS = 100
"""Least length of a twin's text (135 in a script whose characters count double)."""
_UNSURE_CHARS = 8
"""The end of a twin's text may be half a link or half an entity."""
_MAX_TWIN_CHARS = 2_000
"""More than a shortened tweet has with all its links and entities."""

_LINK = re.compile(r"https?://\S*")
_LAST_LINKS = re.compile(r"(?:\s*https?://t\.co/\w+)+\s*$")
_FIRST_NAMES = re.compile(r"^(?:@\w+\s+)+")
_TIME = re.compile(r"\w{3} (\w{3}) (\d\d) (\d\d:\d\d:\d\d) \+0000 (\d{4})")
"""The time of a tweet: "Tue Apr 04 13:45:22 +0000 2023", in every locale."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class _Note:
    text: str
    beginning: str
    created: str


class NoteTweets:
    """The notes of an archive; each is matched with at most one twin."""

    def __init__(self, name: str) -> None:
        """`name` is the name of the archive in messages."""
        self._name = name
        self._by_key: defaultdict[str, list[_Note]] = defaultdict(list)
        self._num_chars = 0

    def add(self, entry: object) -> None:
        """Add an entry of `note-tweet.js`, if it is a note. Raises `CorpusError` if there are too many."""
        note = as_object(as_object(entry).get("noteTweet", entry))
        text = as_object(note.get("core")).get("text")
        if not isinstance(text, str):
            return
        self._num_chars += len(text)
        if self._num_chars > MAX_NOTE_CHARS:
            raise CorpusError(
                f"{self._name}: note-tweet.js has over {MAX_NOTE_CHARS >> 20} million characters.",
                "That is too much for one account; remove the file.",
            )
        beginning = _bare(text[: 4 * _COMPARED_CHARS])[:_COMPARED_CHARS]
        created = str(note.get("createdAt"))
        self._by_key[beginning[:_KEY_CHARS]].append(_Note(text, beginning, created))

    def pop_full_text(self, text: str, created_at: object) -> str | None:
        """Return the full text of a shortened tweet and remove its note; None if there is no match."""
        if not self._by_key or len(text) > _MAX_TWIN_CHARS:
            return None
        shown = unescape(_LAST_LINKS.sub("", text)).rstrip()
        is_cut = shown.endswith("…")
        stem = _bare(shown.rstrip("…"))
        for each in (stem, _FIRST_NAMES.sub("", stem)):
            notes = self._by_key.get(each[:_KEY_CHARS], [])
            twins = [note for note in notes if _is_twin(note, each, is_cut=is_cut)]
            if twins:
                created = _iso_time(created_at)
                twin = next((note for note in twins if created and note.created.startswith(created)), twins[0])
                notes.remove(twin)
                return twin.text
        return None

    @property
    def num_unmatched(self) -> int:
        """Number of notes without a twin."""
        return sum(map(len, self._by_key.values()))


def _is_twin(note: _Note, stem: str, *, is_cut: bool) -> bool:
    """Return whether a note starts with `stem`, or equals it if the tweet was not cut."""
    if is_cut and len(stem) >= _MIN_CUT_CHARS:
        return note.beginning.startswith(stem[: min(len(stem) - _UNSURE_CHARS, _COMPARED_CHARS)])
    return note.beginning == stem


def _bare(text: str) -> str:
    """Return a text without links, entities and repeated blanks, in which the two files differ."""
    return " ".join(_LINK.sub(" ", unescape(text)).split())


def _iso_time(created_at: object) -> str:
    """Return the time of a tweet as notes have it, without fractions of a second; "" if it has none."""
    found = _TIME.fullmatch(str(created_at))
    if found is None or found[1] not in _MONTHS:
        return ""
    return f"{found[4]}-{_MONTHS.index(found[1]) + 1:02}-{found[2]}T{found[3]}"
