"""What a glance at tweets tells, in two lines: how they are read and how many are kept; the first of them. Pure."""

from __future__ import annotations

import re

from engine.corpus.ingest.quick_check import Glance
from engine.corpus.report import SourceReport, counted

_USUAL_NOTES = frozenset({"header row found", "no header row"})
_LABELS = re.compile(r"labels in .*: (kept [^;]*)(?:;.*)?")
_ALL_KEPT = "kept all"


def fact_line(glance: Glance, name: str) -> str:
    """Return how the tweets are read, and how many of the first rows are some; nothing where nothing was looked at.

    `name` is that of what was asked for, which is not told once more.
    """
    if not glance.sources:
        return ""
    first = glance.sources[0]
    read_as = ", ".join([" and ".join(dict.fromkeys(source.format for source in glance.sources)), *_notes(first)])
    facts = [f"{_looked_at(glance.sources, name)}{read_as}", _counts(glance)]
    return " · ".join([*facts, *_labels(first)])


def sample_line(glance: Glance) -> str:
    """Return the first tweet."""
    return f"first tweet: {glance.first_tweet}" if glance.first_tweet else ""


def _looked_at(sources: tuple[SourceReport, ...], name: str) -> str:
    """Return the sources' names as a beginning, unless there is but one and it is `name`."""
    if len(sources) > 1:
        return f"looked at {counted(len(sources), 'file')}: "
    source_name = sources[0].name.removeprefix(f"{name}: ")
    return f"{source_name}: " if source_name != name else ""


def _notes(source: SourceReport) -> list[str]:
    return [note for note in source.notes if note not in _USUAL_NOTES and not _LABELS.fullmatch(note)]


def _labels(source: SourceReport) -> list[str]:
    """Return which labels are kept, and how all would be."""
    found = [match.group(1) for note in source.notes if (match := _LABELS.fullmatch(note))]
    return [f"{kept}; start with --label all for all" for kept in found if kept != _ALL_KEPT]


def _counts(glance: Glance) -> str:
    """Return how many rows are tweets."""
    num_rows = sum(source.num_rows for source in glance.sources)
    num_kept = sum(source.num_kept for source in glance.sources)
    rows = counted(num_rows, "row")
    if num_kept == num_rows:
        return f"all {rows} are tweets" if glance.is_whole else f"all of the first {rows} are tweets"
    return f"{num_kept:,} of {'' if glance.is_whole else 'the first '}{rows} are tweets"
