"""Search in the entries of a help: by a key, or by the beginnings of words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_WORD = re.compile(r"[^\s.,:;()“”]+")


class HelpEntry(NamedTuple):
    """A term with its sentence."""

    term: str
    sentence: str
    also: str = ""
    """Words that are searched but not shown."""


Groups = Mapping[str, Sequence[HelpEntry]]
"""Entries under their headings."""


def found(groups: Groups, query: str) -> Groups:
    """Return the entries that match, without empty groups; all for an empty query.

    A single character finds the entries of that key. Otherwise each word of the query has to begin a word of the entry
    or of its heading.
    """
    query = query.strip()
    of_key = {
        heading: [entry for entry in entries if query in entry.term.split()] for heading, entries in groups.items()
    }
    if len(query) == 1 and any(of_key.values()):
        return {heading: entries for heading, entries in of_key.items() if entries}
    words = query.casefold().split()
    matching = {
        heading: [
            entry for entry in entries if all(_begins_word(word, f"{heading} {' '.join(entry)}") for word in words)
        ]
        for heading, entries in groups.items()
    }
    return {heading: entries for heading, entries in matching.items() if entries}


def _begins_word(start: str, text: str) -> bool:
    text = text.casefold()
    return start in text and any(word.startswith(start) for word in (*_WORD.findall(text), *text.split()))
