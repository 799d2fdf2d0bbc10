"""The report on a corpus: rows read, kept and dropped with reasons, per source and in total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.text import counted

DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near-duplicate"
_MAX_SOURCES = 6
"""Sources that a short report lists; it adds up the others."""


@dataclass(frozen=True, kw_only=True)
class SourceReport:
    """The counts of one source."""

    name: str
    format: str
    notes: tuple[str, ...] = ()
    """What the reader detected: the column, the encoding, the labels."""
    num_rows: int
    num_kept: int
    dropped: dict[str, int]
    """Dropped rows by reason, the most frequent first; with `num_kept` they add up to `num_rows`."""
    examples: dict[str, str]
    """An excerpt of one dropped row per reason, if there is one."""
    doubt: str = ""
    """Why the rows do not look like text, as a clause ("61 % of its rows are markup or code"), or ""."""


@dataclass(frozen=True, kw_only=True)
class CorpusReport:
    """The counts of all sources."""

    sources: tuple[SourceReport, ...]
    num_duplicates: int = 0
    """Rows equal to an earlier one after normalization, whether dropped or kept."""
    num_near_duplicates: int = 0
    """Rows that differ from an earlier one in a word or a name, whether dropped or kept."""

    @property
    def num_rows(self) -> int:
        """Rows of all sources."""
        return sum(source.num_rows for source in self.sources)

    @property
    def num_kept(self) -> int:
        """Tweets of all sources."""
        return sum(source.num_kept for source in self.sources)

    @property
    def dropped(self) -> dict[str, int]:
        """Dropped rows of all sources by reason, the most frequent first."""
        total: Counter[str] = Counter()
        for source in self.sources:
            total.update(source.dropped)
        return dict(total.most_common())

    @property
    def examples(self) -> dict[str, str]:
        """An excerpt of one dropped row per reason."""
        return {reason: text for source in reversed(self.sources) for reason, text in source.examples.items()}

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of the sources, without duplicates."""
        return tuple(dict.fromkeys(source.format for source in self.sources))

    @property
    def doubts(self) -> tuple[str, ...]:
        """A sentence about each source that does not look like text."""
        return tuple(f"{each.name} does not look like text: {each.doubt}." for each in self.sources if each.doubt)

    def __str__(self) -> str:
        """Return the total counts as one line: "9 rows read, 7 tweets kept; dropped: 2 empty"."""
        rows, tweets = counted(self.num_rows, "row"), counted(self.num_kept, "tweet")
        return f"{rows} read, {tweets} kept" + (f"; dropped: {_reasons(self)}" if self.dropped else "")


@dataclass(frozen=True, kw_only=True)
class CorpusPreview:
    """The report on the first rows of a corpus."""

    sources: tuple[SourceReport, ...] = ()
    """The sources reached, in order, with the counts of the rows read so far. Duplicates count as kept."""
    first_tweet: str = ""
    is_whole: bool = False
    """Whether all rows were read."""


def summary_lines(report: CorpusReport) -> Iterable[str]:
    """Yield the report in a few lines for a small panel: the first sources, their notes, the total of dropped rows."""
    for source in report.sources[:_MAX_SOURCES]:
        yield f"{source.name}, {source.format}: {_kept([source])}"
        if source.notes:
            yield "  " + "; ".join(source.notes)
        if source.doubt:
            yield f"  does not look like text: {source.doubt}"
    more = report.sources[_MAX_SOURCES:]
    if more:
        yield f"and {counted(len(more), 'more file')}: {_kept(more)}"
    if report.dropped:
        yield f"dropped: {_reasons(report)}"


def _reasons(report: CorpusReport) -> str:
    """Return the counts of dropped rows: "2 empty, 1 duplicate"."""
    return ", ".join(f"{count:,} {reason}" for reason, count in report.dropped.items())


def _kept(sources: Sequence[SourceReport]) -> str:
    """Return the kept share of the rows of some sources: "7 of 9 rows kept"."""
    num_rows = sum(source.num_rows for source in sources)
    return f"{sum(source.num_kept for source in sources):,} of {counted(num_rows, 'row')} kept"
