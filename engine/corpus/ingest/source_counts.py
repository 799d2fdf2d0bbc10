"""`SourceCounts`: what became of the rows of one source, counted while they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.corpus.ingest.text_quality import doubt_about
from engine.corpus.report import DUPLICATE, SourceReport
from engine.corpus.types import DroppedRow, Source
from engine.text import EXAMPLE_CHARS, harmless

_MAX_REASON_CHARS = 80


@dataclass
class SourceCounts:
    """The counts of one source's rows, updated while they are read."""

    source: Source
    file_index: int
    """Index into `CorpusConfig.files`."""
    num_kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    doubt: str = ""
    """Why the rows do not look like text, or ""."""

    def drop(self, row: DroppedRow) -> None:
        """Count a dropped row, and store the first example of its reason."""
        reason = harmless(row.reason, _MAX_REASON_CHARS)
        self.dropped[reason] += 1
        if row.example and reason not in self.examples:
            self.examples[reason] = harmless(row.example, EXAMPLE_CHARS)

    def drop_kept(self, reason: str, count: int, text: str) -> None:
        """Count `count` tweets as dropped that were counted as kept; `text` is one of them."""
        self.num_kept -= count
        self.dropped[reason] += count
        if reason not in self.examples:
            self.examples[reason] = harmless(text, EXAMPLE_CHARS)

    def check_text(self, sample: Sequence[str]) -> None:
        """Set `doubt` by a sample of the kept tweets and the counts so far, or else as the reader did."""
        num_duplicates = self.dropped[DUPLICATE]
        self.doubt = doubt_about(sample, self.num_kept + num_duplicates, num_duplicates) or self.source.doubt

    def report(self) -> SourceReport:
        """Return the report on the rows read so far."""
        return SourceReport(
            name=harmless(self.source.name),
            format=self.source.format,
            notes=tuple(map(harmless, self.source.notes)),
            num_rows=self.num_kept + self.dropped.total(),
            num_kept=self.num_kept,
            dropped=dict(self.dropped.most_common()),
            examples=self.examples,
            doubt=self.doubt,
        )
