"""A corpus preview in up to three lines: a doubt; format and share of usable rows; the first tweet. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.corpus.report import CorpusPreview, SourceReport, counted

_USUAL_NOTES = frozenset({"header row found", "no header row"})
_LABELS = re.compile(r"labels in .*: (kept [^;]*)(?:;.*)?")
_ALL_KEPT = "kept all"
_CHOSEN_COLUMN = re.compile(r"text in .*: (?:by its name|the longest)")


def fact_line(preview: CorpusPreview, name: str) -> str:
    """Return format, columns and the share of rows that are tweets; empty without sources.

    `name` is the requested file or folder: a source of the same name is not repeated.
    """
    if not preview.sources:
        return ""
    first = preview.sources[0]
    read_as = ", ".join([" and ".join(dict.fromkeys(source.format for source in preview.sources)), *_notes(first)])
    facts = [f"{_sources_prefix(preview.sources, name)}{read_as}", _counts(preview)]
    return " · ".join([*facts, *_labels(first), *_choices(preview.sources)])


def doubt_in(preview: CorpusPreview) -> str:
    """Return the first source that does not look like text, and why; empty if all do."""
    doubted = (f"{each.name} does not look like text: {each.doubt}" for each in preview.sources if each.doubt)
    return next(doubted, "")


def sample_line(preview: CorpusPreview) -> str:
    """Return the first tweet; empty if none was seen."""
    return f"first tweet: {preview.first_tweet}" if preview.first_tweet else ""


def _sources_prefix(sources: tuple[SourceReport, ...], name: str) -> str:
    """Return a prefix that names the sources, unless the only one is `name`."""
    if len(sources) > 1:
        return f"checked {counted(len(sources), 'file')}: "
    source_name = sources[0].name.removeprefix(f"{name}: ")
    return f"{source_name}: " if source_name != name else ""


def _notes(source: SourceReport) -> list[str]:
    return [note for note in source.notes if note not in _USUAL_NOTES and not _LABELS.fullmatch(note)]


def _labels(source: SourceReport) -> list[str]:
    """Return which labels are kept, and the option that keeps all."""
    found = [match.group(1) for note in source.notes if (match := _LABELS.fullmatch(note))]
    return [f"{kept}; --label all keeps all" for kept in found if kept != _ALL_KEPT]


def _choices(sources: tuple[SourceReport, ...]) -> Iterator[str]:
    """Yield the options that choose other texts, where the file has some."""
    if any(map(_CHOSEN_COLUMN.match, sources[0].notes)):
        yield "--column chooses another"
    if len(sources) > 1:
        yield "--member reads only some"


def _counts(preview: CorpusPreview) -> str:
    """Return how many rows are tweets."""
    num_rows = sum(source.num_rows for source in preview.sources)
    num_kept = sum(source.num_kept for source in preview.sources)
    rows = counted(num_rows, "row")
    if num_kept == num_rows:
        return f"all {rows} are tweets" if preview.is_whole else f"all of the first {rows} are tweets"
    return f"{num_kept:,} of {'' if preview.is_whole else 'the first '}{rows} are tweets"
