"""`Authors`: whose messages of a chat are learnt. Everyone else's are counted, and their text is never looked at.

The author is the one of --author, or else the owner that the export names. Without either, and where the author is not
in the chat or is several people, reading ends with an error that lists the authors.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from engine.config.corpus import CorpusConfig
from engine.corpus.report import counted
from engine.corpus.types import AuthorNeededError, ChatAuthor, DroppedRow, NoTextsError, Source
from engine.errors import CorpusError
from engine.text import harmless

OF_ANOTHER_AUTHOR = DroppedRow("of another author")
SYSTEM_MESSAGE = DroppedRow("system message")
"""A join, a call, a changed title; without an example, since it names people."""
WITHOUT_TEXT = DroppedRow("without text")
"""A picture, a voice message, a poll."""

_MAX_SHOWN = 12
_NAMELESS = "without a name"
_MAX_NAME_CHARS = 40
_MAX_STORED_CHARS = 200
"""More than an id or a name has; names in a damaged file may have millions."""
_MAX_COUNTED = 10_000
"""Authors that are counted one by one; a large public group has more."""

MAX_UNDECIDED = 10_000
"""Messages after which a chat is not read on to count its authors while --author is not set."""


class Authors:
    """Selects the messages of one author, and counts those of all."""

    def __init__(self, source: Source, config: CorpusConfig, *, is_text: bool = False) -> None:
        """The author is `config.author`, compared with ids and names; `is_text`: the lines could be a list as well."""
        self._source = source
        self._may_be_list = is_text and config.format == "auto"
        self._wanted = comparable(config.author or "")
        self._shown_wanted = harmless(config.author or "", _MAX_NAME_CHARS)
        self._counts: Counter[str] = Counter()  # by id, or by name in exports without ids
        self._names: dict[str, str] = {}
        self._is_wanted: dict[tuple[str, ...], bool] = {}
        self._own: set[str] = set()
        self._num_undecided = self._num_own = self._num_private = 0

    def is_own(self, author_id: str, *names: str, owner_id: str = "", is_private: bool = False) -> bool:
        """Return whether a message is to be learnt, and count it.

        `author_id` is "" in exports without ids; the first of `names` is shown. `owner_id` is the export's owner, if
        known, whose messages are learnt without --author. `is_private`: the chat is closed to the public.

        Raises `AuthorNeededError` after `MAX_UNDECIDED` messages without an owner and --author.
        """
        if self._wanted:
            is_own = self._matches((author_id, *names))
        else:
            is_own = bool(owner_id) and author_id == owner_id
            self._num_undecided += not owner_id
        key = (author_id or names[0])[:_MAX_STORED_CHARS]
        if is_own:
            self._own.add(key)
            self.count_own(is_private=is_private)
        if is_own or key in self._counts or len(self._counts) < _MAX_COUNTED:
            self._counts[key] += 1
            self._names.setdefault(key, names[0][:_MAX_STORED_CHARS])
        if self._num_undecided == MAX_UNDECIDED:
            raise self._author_needed(f" (in the first {MAX_UNDECIDED:,} messages)")
        return is_own

    def count_own(self, *, is_private: bool) -> None:
        """Count a message of an export that has only its owner's messages, without an author."""
        self._num_own += 1
        self._num_private += is_private

    def _matches(self, id_and_names: tuple[str, ...]) -> bool:
        """Return whether an author is the wanted one."""
        is_wanted = self._is_wanted.get(id_and_names)
        if is_wanted is None:
            is_wanted = self._wanted in map(comparable, id_and_names)
            if len(self._is_wanted) < _MAX_COUNTED and sum(map(len, id_and_names)) <= _MAX_STORED_CHARS:
                self._is_wanted[id_and_names] = is_wanted
        return is_wanted

    def conclude(self) -> None:
        """Add the notes on the author, after the last message. Raises `CorpusError` if it is not one person."""
        name = self._source.name
        if not self._num_own and not self._counts:
            raise NoTextsError(f"{name} has no messages.", "Export the chat again, with its messages.")
        if self._num_undecided:
            raise self._author_needed()
        if not self._num_own:
            raise NoTextsError(
                f"{name} has no messages of {self._shown_wanted or 'its owner'}.",
                f"Its authors, for --author: {self._listed(self._counts)}.",
            )
        if self._wanted and len(self._own) > 1 and self._wanted not in map(comparable, self._own):
            raise CorpusError(
                f"{name} has several authors named {self._shown_wanted}.",
                f"Set --author to an id: {self._listed(self._own)}.",
            )
        self._source.notes += self._notes()

    def _author_needed(self, read: str = "") -> AuthorNeededError:
        """Return the error of a chat without --author; `read` follows the list of authors."""
        other = " If these are no people, read its lines with --format text." if self._may_be_list else ""
        return AuthorNeededError(
            f"{self._source.name} is a chat, of which one author's messages are learnt, and --author is not set.",
            f"Set --author to your name or id: {self._listed(self._counts)}{read}.{other}",
            [each for each in self._by_activity(self._counts) if each.key],
        )

    def _notes(self) -> Iterator[str]:
        """Yield the notes on the author, and on the messages that were never public."""
        if self._own:
            yield f"messages of {', '.join(map(self._shown, sorted(self._own)))}"
        if self._num_private:
            yield f"{counted(self._num_private, 'message')} from private chats"

    def _shown(self, key: str) -> str:
        """Return an author's name, and the id if there is one."""
        name, author_id = harmless(self._names[key], _MAX_NAME_CHARS), harmless(key, _MAX_NAME_CHARS)
        return f"{name or _NAMELESS} ({author_id})" if key != self._names[key] else name or _NAMELESS

    def _by_activity(self, keys: Iterable[str]) -> list[ChatAuthor]:
        """Return authors with their numbers of messages, the most active first."""
        ordered = sorted(keys, key=lambda key: -self._counts[key])
        return [ChatAuthor(key, f"{self._shown(key)}: {self._counts[key]:,}") for key in ordered]

    def _listed(self, keys: Iterable[str]) -> str:
        """Return the most active of authors, and the number of the others."""
        ordered = self._by_activity(keys)
        shown = [each.shown for each in ordered[:_MAX_SHOWN]]
        num_others = len(ordered) - len(shown)
        return ", ".join(shown) + (f" and {num_others:,} others" if num_others else "")


def comparable(name: str) -> str:
    """Return a name or id for comparison: without case, invisible marks, double blanks, and a ~ or @ before it."""
    visible = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    return " ".join(visible.casefold().split()).lstrip("~@ ")
