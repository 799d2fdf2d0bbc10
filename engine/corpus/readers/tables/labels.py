"""Sentiment labels and the rule of --label: which column has them, and which rows are kept.

Labels are known if they are Sentiment140's (0 sad, 2 neutral, 4 happy) or words such as "positive". Other labels, such
as a `target` of 0 and 1, only filter rows when --label-column names their column or --label one of their values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.tables.columns import name_key, requested_column
from engine.errors import CorpusError
from engine.text import sanitize_line

_POLARITIES = frozenset({"0", "1", "2", "4"})
SENTIMENT_NAMES = frozenset({"sentiment", "sentiments", "polarity"})
"""Names of columns in which 0 and 1 mean sad and happy."""
LABEL_NAMES = SENTIMENT_NAMES | {"label", "labels", "target", "airline_sentiment", "sentiment_label"}
LABELLED = "labelled "
WITHOUT_A_LABEL = "without a label"
OTHER_LABEL = "with another label"
FEELINGS = frozenset({"happy", "sad", "all"})
"""Values of --label that always mean polarities; "neutral" may also be a literal label."""

_HAPPY_WORDS = frozenset({"positive", "pos", "happy", "very positive", "extremely positive"})
_SAD_WORDS = frozenset({"negative", "neg", "sad", "very negative", "extremely negative"})
_NEUTRAL_WORDS = frozenset({"neutral", "neu", "objective", "objective-or-neutral"})
_WORDS = _HAPPY_WORDS | _SAD_WORDS | _NEUTRAL_WORDS
_MAX_SCALE = 8
"""Labels of a column in which "positive" and "negative" are feelings, whatever the others are."""
_MIN_SAD_ROWS = 100
"""Rows with only the label 0 from which a file is one sorted by label."""
_MAX_NAMED, _MAX_NAME_CHARS = 20, 40
_MAX_VERDICTS = 1000


def label_of(cell: str) -> str:
    """Return a label for comparison: without blanks, and without the ".0" that spreadsheets add."""
    return cell.strip().removesuffix(".0").casefold()


@dataclass(frozen=True)
class LabelRule:
    """Which labels are kept, and the reason to drop rows with others."""

    wanted: str
    """The value of --label: "happy", "sad", "all", or a label."""
    kept: frozenset[str]
    """The labels that it means in this file; unused if all are kept."""
    shown: tuple[str, ...]
    """Those of them that the note names."""
    reasons: dict[str, str]
    """The reason by label; grows with the labels found, up to `_MAX_NAMED`."""
    _verdicts: dict[str, str | None] = field(default_factory=dict)
    """The result by cell, a cache."""

    @classmethod
    def for_file(cls, wanted: str, seen: Collection[str], *, is_known: bool = True) -> LabelRule:
        """Return the rule for a --label, given the labels `seen` at the start of the file.

        Unless `is_known`, digits are mere values.
        """
        wanted = wanted.strip()
        happy, sad = _happy_labels(frozenset(seen)) | _HAPPY_WORDS, frozenset("0") | _SAD_WORDS
        meant = {"happy": happy, "sad": sad, "neutral": frozenset("2") | _NEUTRAL_WORDS}
        label = label_of(wanted)
        kept = meant.get(label, frozenset({label})) if is_known else frozenset({label})
        digits = kept & _POLARITIES
        shown = tuple(sorted(kept.intersection(seen) or digits or kept))
        names = {"0": "sad (0)", "2": "neutral (2)", **{label: f"happy ({label})" for label in happy & _POLARITIES}}
        reasons = {label: f"{LABELLED}{name}" for label, name in names.items() if is_known}
        return cls(wanted, kept, shown, {"": WITHOUT_A_LABEL, **reasons})

    def reason_to_drop(self, cell: str) -> str | None:
        """Return the reason to drop a row with this label, or None to keep it."""
        if cell in self._verdicts:
            return self._verdicts[cell]
        verdict = self._reason_to_drop(cell)
        if len(self._verdicts) < _MAX_VERDICTS and len(cell) <= _MAX_NAME_CHARS:
            self._verdicts[cell] = verdict
        return verdict

    def _reason_to_drop(self, cell: str) -> str | None:
        label = label_of(cell)
        if self.keeps_all or label in self.kept:
            return None
        if label not in self.reasons and len(self.reasons) < _MAX_NAMED and len(label) <= _MAX_NAME_CHARS:
            self.reasons[label] = f"{LABELLED}{cell.strip().removesuffix('.0')}"
        return self.reasons.get(label, OTHER_LABEL)

    @property
    def keeps_all(self) -> bool:
        """Whether --label is "all"."""
        return self.wanted.casefold() == "all"

    def note(self) -> str:
        """Return the note for the report: "kept happy (4); --label all keeps all"."""
        return f"kept {sanitize_line(str(self), 40)}" + ("" if self.keeps_all else "; --label all keeps all")

    def __str__(self) -> str:
        """Return the kept labels: "happy (4)"."""
        labels = " or ".join(self.shown)
        return (
            "all" if self.keeps_all else self.wanted if labels == label_of(self.wanted) else f"{self.wanted} ({labels})"
        )


@dataclass(frozen=True)
class Labels:
    """The column of the labels, and what is done with them."""

    column: int = -1
    """From 0; -1 without labels."""
    rule: LabelRule | None = None
    """None if no row is dropped by its label."""
    note: str = ""
    """For the report; "" without labels."""


def find_labels(
    rows: Sequence[Sequence[str]],
    header: Sequence[str],
    text_column: int,
    config: CorpusConfig,
    source_name: str,
) -> Labels:
    """Return the labels of a table with these first rows of equal width; `header` is empty without one.

    Raises `CorpusError` if `config.label_column` does not exist, or has no label that `config.label` means.
    """
    if config.label_column is not None:
        names = header or (rows[0] if rows else [])
        column = requested_column(names, len(names), config.label_column, "--label-column", source_name)
        return _requested_labels(_labels_in(rows, column), column, config, source_name)
    return _found_labels(rows, header, text_column, config.label)


def _found_labels(rows: Sequence[Sequence[str]], header: Sequence[str], text_column: int, wanted: str) -> Labels:
    """Return the first column with known labels, or with a usual name and the value `wanted`; else one to note."""
    unused = Labels()
    num_columns = len(header) or (len(rows[0]) if rows else 0)
    labels = {each: _labels_in(rows, each) for each in range(num_columns) if each != text_column}
    zeros = [each for each, seen in labels.items() if seen == {"0"} and not header]
    are_zeros_labels = len(zeros) == 1 and zeros[0] in {0, num_columns - 1}
    is_value_wanted = label_of(wanted) not in FEELINGS | {"neutral"}
    for each, seen in labels.items():
        if not seen or (each in zeros and not are_zeros_labels):
            continue
        key = name_key(header[each]) if header else ""
        if _are_known(seen, key, len(rows)) and (header or all(row[each].strip() for row in rows)):
            are_only_sad = seen == {"0"} and key not in SENTIMENT_NAMES  # a file sorted by label: 4 follows
            return _used(each, LabelRule.for_file(wanted, {"0", "4"} if are_only_sad else seen))
        if key in LABEL_NAMES and (is_value_wanted or label_of(wanted) in seen):
            return _used(each, LabelRule.for_file(wanted, seen, is_known=False))
        if key in LABEL_NAMES and unused.column < 0:
            unused = Labels(each, None, _unused_note(seen, header[each]))
    return unused


def _happy_labels(seen: frozenset[str]) -> frozenset[str]:
    """Return the happy digits: 4, or 1 in a column of 0 and 1; both if only 0 was seen so far."""
    if "1" in seen and seen <= {"0", "1"}:
        return frozenset("1")
    return frozenset("14") if seen <= {"0"} else frozenset("4")


def _used(column: int, rule: LabelRule) -> Labels:
    return Labels(column, rule, rule.note())


def _requested_labels(seen: set[str], column: int, config: CorpusConfig, source_name: str) -> Labels:
    """Return the labels of --label-column. Raises `CorpusError` if --label is a feeling that no label means."""
    is_feeling = label_of(config.label) in {"happy", "sad", "neutral"}
    if is_feeling and seen and not _may_be_feelings(seen):
        raise CorpusError(
            f"{source_name} has no label {config.label} in column {config.label_column}.",
            f"Its labels are {_listed(seen)}: choose one with --label, or --label all.",
        )
    return _used(column, LabelRule.for_file(config.label, seen, is_known=is_feeling))


def _labels_in(rows: Sequence[Sequence[str]], column: int) -> set[str]:
    return {label_of(row[column]) for row in rows} - {""}


def _may_be_feelings(seen: set[str]) -> bool:
    """Return whether labels have a meaning as feelings if the user says that they are."""
    return seen <= {"0", "1"} or seen <= {"0", "2", "4"} or not seen.isdisjoint(_WORDS)


def _are_known(seen: set[str], key: str, num_rows: int) -> bool:
    """Return whether labels are Sentiment140's or words for feelings; `key` is "" without a header."""
    has_happy, has_sad = not seen.isdisjoint(_HAPPY_WORDS), not seen.isdisjoint(_SAD_WORDS)
    if has_happy and has_sad and len(seen) <= _MAX_SCALE:
        return True
    if (has_happy or has_sad) and (key in LABEL_NAMES or seen <= _WORDS):
        return key != "" or has_happy or num_rows >= _MIN_SAD_ROWS
    if key and key not in LABEL_NAMES:
        return False
    if key in SENTIMENT_NAMES and seen <= {"0", "1"}:
        return True
    return seen <= {"0", "2", "4"} and ("4" in seen or (seen == {"0"} and num_rows >= _MIN_SAD_ROWS))


def _unused_note(seen: set[str], name: str) -> str:
    """Return the note on labels whose meaning is unknown."""
    options = f"--label-column {sanitize_line(name.strip(), 30)} --label VALUE"
    return f"not used ({_listed(seen)}), every row kept; {options} chooses"


def _listed(seen: set[str]) -> str:
    labels = sorted(seen, key=lambda label: (len(label), label))
    more = f" and {len(labels) - 6:,} more" if len(labels) > 6 else ""
    return ", ".join(sanitize_line(label, 20) for label in labels[:6]) + more
