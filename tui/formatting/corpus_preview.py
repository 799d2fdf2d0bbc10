"""What a preview at tweets tells, in two lines: how they are read and how many are kept; the first of them. Pure."""

from __future__ import annotations

import re

from engine.corpus.ingest.quick_check import CorpusPreview
from engine.corpus.report import SourceReport, counted

_USUAL_NOTES = frozenset({"header row found", "no header row"})
_LABELS = re.compile(r"labels in .*: (kept [^;]*)(?:;.*)?")
_ALL_KEPT = "kept all"


def fact_line(preview: CorpusPreview, name: str) -> str:
    """Return how the tweets are read, and how many of the first rows are some; nothing where nothing was looked at.

    `name` is that of what was asked for, which is not told once more.
    """
    if not preview.sources:
        return ""
    first = preview.sources[0]
    read_as = ", ".join([" and ".join(dict.fromkeys(source.format for source in preview.sources)), *_notes(first)])
    facts = [f"{_looked_at(preview.sources, name)}{read_as}", _counts(preview)]
    return " · ".join([*facts, *_labels(first)])


def sample_line(preview: CorpusPreview) -> str:
    """Return the first tweet."""
    return f"first tweet: {preview.first_tweet}" if preview.first_tweet else ""


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


def _counts(preview: CorpusPreview) -> str:
    """Return how many rows are tweets."""
    num_rows = sum(source.num_rows for source in preview.sources)
    num_kept = sum(source.num_kept for source in preview.sources)
    rows = counted(num_rows, "row")
    if num_kept == num_rows:
        return f"all {rows} are tweets" if preview.is_whole else f"all of the first {rows} are tweets"
    return f"{num_kept:,} of {'' if preview.is_whole else 'the first '}{rows} are tweets"
